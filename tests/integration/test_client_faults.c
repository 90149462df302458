/* The C client when Redis is away, slow, or lost between question and answer. */
#include <sluice/client.h>

#include "test_worker.h"

enum { SHORT_MS = SLOW > 1 ? 800 : 500 };

static struct proxy proxy;
static struct sluice_client *client;
static struct sluice_client_error error;
static char jid[SLUICE_CLIENT_JID_SIZE];

static struct sluice_client *open_client(const char *url, int timeout_ms)
{
    struct sluice_client *c = NULL;
    struct sluice_client_options o = sluice_client_options_init();
    o.url = url;
    o.timeout_ms = timeout_ms;
    ck_assert_msg(sluice_client_new(&o, &c, &error) == 0, "%s", error.text);
    return c;
}

/* Through the proxy. */
static void open_through(int timeout_ms)
{
    char url[64];
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    client = open_client(url, timeout_ms);
}

static void set_up_proxy(void)
{
    set_up();
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
}

static void tear_down_proxy(void)
{
    sluice_client_free(client);
    client = NULL;
    proxy_stop(&proxy);
    tear_down();
}

static int enqueue(const char *key)
{
    struct sluice_client_job job = sluice_client_job_init();
    job.klass = "x";
    return sluice_client_enqueue(client, &job, key, jid, &error);
}

static int64_t jobs(void)
{
    return must_int(redis, "LLEN queue:default");
}

START_TEST(redis_away_and_back)
{
    client = open_client(server.url, HANG_MS);
    ck_assert_int_eq(enqueue(NULL), 0);
    redis_conn_free(redis);
    redis = NULL;
    redis_server_stop(&server);
    int64_t began_ns = clock_now_ns();
    ck_assert_int_eq(enqueue(NULL), -ENOTCONN); /* it is seen to be gone before anything is sent */
    ck_assert_int_eq(enqueue(NULL), -ENOTCONN);
    ck_assert_int_eq(sluice_client_ping(client, &error), -ENOTCONN);
    ck_assert(clock_now_ns() - began_ns < HANG_MS / 2 * NS_PER_MS);
    must_restart(&server);
    open_redis();
    ck_assert_msg(enqueue(NULL) == 0, "%s", error.text);
    ck_assert_int_eq(jobs(), 1);
}
END_TEST

START_TEST(a_restart_between_two_calls_is_not_noticed)
{
    client = open_client(server.url, HANG_MS);
    ck_assert_int_eq(enqueue(NULL), 0);
    redis_conn_free(redis);
    redis_server_kill(&server);
    must_restart(&server);
    open_redis();
    ck_assert_int_eq(enqueue(NULL), 0);
    ck_assert_int_eq(jobs(), 1);
}
END_TEST

/* The script ran, its answer is cut off at each of its first bytes. */
START_TEST(a_lost_answer_is_told)
{
    char first[SLUICE_CLIENT_JID_SIZE], key[16];
    int n = 0;
    open_through(HANG_MS);
    ck_assert_int_eq(enqueue(NULL), 0);
    for (int byte = 0; byte < 4; byte++) {
        (void)snprintf(key, sizeof key, "k%d", byte);
        ck_assert_int_eq(sluice_client_ping(client, NULL), 0);
        ck_assert_int_eq(enqueue(NULL), 0); /* it knows the time */
        uint64_t cuts = proxy_stats(&proxy).cuts;
        proxy_trap(&proxy, "EVALSHA", PROXY_CUT, byte);
        ck_assert_int_eq(enqueue(key), -ECONNABORTED);
        ck_assert_uint_eq(proxy_stats(&proxy).cuts, cuts + 1);
        ck_assert_ptr_nonnull(strstr(error.text, "may have happened or not"));
        wait_until(HANG_MS, must_int(redis, "EXISTS sluice:idempotency:k%d", byte) == 1);
        char *record = must_text(redis, "GET sluice:idempotency:k%d", byte);
        (void)snprintf(first, sizeof first, "%.24s", record + 33);
        free(record);
        ck_assert_int_eq(enqueue(key), 0);
        ck_assert_str_eq(jid, first);
        n++;
    }
    ck_assert_int_eq(jobs(), 1 + 2 * n); /* exactly one for each key */
}
END_TEST

/* Nothing arrived: the same key enqueues it. */
START_TEST(a_lost_question_is_told)
{
    open_through(HANG_MS);
    ck_assert_int_eq(enqueue(NULL), 0);
    proxy_cut(&proxy, PROXY_REQUESTS, 100);
    ck_assert_int_eq(enqueue("k"), -ECONNABORTED);
    ck_assert_int_eq(jobs(), 1);
    ck_assert_int_eq(enqueue("k"), 0);
    ck_assert_int_eq(enqueue("k"), 0);
    ck_assert_int_eq(jobs(), 2);
}
END_TEST

/* Which of the ways to be silent, and what a call comes to then. */
START_TEST(no_call_lasts_longer_than_its_time)
{
    open_through(SHORT_MS);
    if (_i > 0)
        ck_assert_int_eq(enqueue(NULL), 0);
    proxy_black_hole(&proxy, _i == 2 ? PROXY_REQUESTS : PROXY_REPLIES, true);
    int64_t began_ns = clock_now_ns();
    int rc = enqueue(NULL);
    int64_t took_ms = (clock_now_ns() - began_ns) / NS_PER_MS;
    ck_assert_msg(rc == (_i == 0 ? -ENOTCONN : -ECONNABORTED), "%d: %s", rc, error.text);
    ck_assert_int_ge(took_ms, SHORT_MS - 20);
    ck_assert_int_lt(took_ms, 10 * SHORT_MS);
    ck_assert_uint_gt(proxy_stats(&proxy).swallowed[_i == 2 ? PROXY_REQUESTS : PROXY_REPLIES], 0);
    proxy_black_hole(&proxy, PROXY_REPLIES, false);
    proxy_black_hole(&proxy, PROXY_REQUESTS, false);
    ck_assert_msg(enqueue(NULL) == 0, "%s", error.text);
}
END_TEST

/* Each piece comes long before a silence is too long, and all of them too late. */
START_TEST(a_trickle_does_not_prolong_it)
{
    enum { LARGE = 2 << 20 }; /* which the proxy passes on in pieces */
    char *large = calloc(1, LARGE);
    ck_assert_ptr_nonnull(large);
    open_through(SHORT_MS);
    must_do(redis, "HSET sluice:job:slow error %b", large, (size_t)LARGE);
    free(large);
    ck_assert_int_eq(sluice_client_ping(client, NULL), 0);
    proxy_delay(&proxy, PROXY_REPLIES, SHORT_MS / 4);
    int64_t began_ns = clock_now_ns();
    int rc = sluice_client_record(client, "slow", NULL, NULL, &error);
    int64_t took_ms = (clock_now_ns() - began_ns) / NS_PER_MS;
    proxy_delay(&proxy, PROXY_REPLIES, 0);
    ck_assert_msg(rc == -ENOTCONN, "%d: %s", rc, error.text);
    ck_assert_int_lt(took_ms, 3 * SHORT_MS);
}
END_TEST

static void *ping(void *unused)
{
    (void)unused;
    ck_assert_int_ne(sluice_client_ping(client, NULL), 0);
    return NULL;
}

START_TEST(waiting_for_a_turn_is_part_of_the_time)
{
    pthread_t other;
    open_through(SHORT_MS);
    ck_assert_int_eq(enqueue(NULL), 0);
    proxy_black_hole(&proxy, PROXY_REPLIES, true);
    uint64_t before = proxy_stats(&proxy).passed[PROXY_REQUESTS];
    ck_assert_int_eq(pthread_create(&other, NULL, ping, NULL), 0);
    wait_until(HANG_MS, proxy_stats(&proxy).passed[PROXY_REQUESTS] > before); /* it has the turn */
    int64_t began_ns = clock_now_ns();
    int rc = enqueue(NULL);
    int64_t took_ms = (clock_now_ns() - began_ns) / NS_PER_MS;
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    /* It got no turn in time, or one that left no time for an answer. */
    ck_assert_msg(rc == -ETIMEDOUT || rc == -ENOTCONN, "%d: %s", rc, error.text);
    ck_assert_int_lt(took_ms, 3 * SHORT_MS);
    ck_assert_int_eq(jobs(), 1);
}
END_TEST

START_TEST(what_redis_refuses)
{
    client = open_client(server.url, HANG_MS);
    ck_assert_int_eq(enqueue(NULL), 0);
    must_do(redis, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(enqueue(NULL), -ENOSPC);
    must_do(redis, "CONFIG SET maxmemory 0");
    must_do(redis, "REPLICAOF 127.0.0.1 1");
    ck_assert_int_eq(enqueue(NULL), -EROFS);
    ck_assert_int_eq(enqueue(NULL), -EROFS); /* it has looked again: still a replica */
    ck_assert_ptr_nonnull(strstr(error.text, "replica"));
    must_do(redis, "REPLICAOF NO ONE");
    ck_assert_int_eq(enqueue(NULL), 0);
    must_do(redis, "CONFIG SET requirepass secret");
    sluice_client_free(client);
    client = open_client(server.url, HANG_MS);
    ck_assert_int_eq(enqueue(NULL), -EACCES);
    ck_assert_int_eq(jobs(), 2);
    must_do(redis, "SCRIPT FLUSH"); /* costs a round trip and nothing else */
    must_do(redis, "CONFIG SET requirepass %s", "");
    ck_assert_int_eq(enqueue(NULL), 0);
    ck_assert_int_eq(jobs(), 3);
}
END_TEST

struct outage {
    int events;
};

static int cut_in_between(void *ctx, int64_t id, const char *json, size_t n)
{
    struct outage *o = ctx;
    (void)json, (void)n;
    ck_assert_int_eq(id, ++o->events);
    if (id == 2)
        proxy_drop_all(&proxy);
    if (id == 3)
        must_do(redis, "RPUSH sluice:stream:j {\"n\":4} {\"type\":\"status\",\"status\":\"dead\"}");
    return 0;
}

START_TEST(following_outlives_an_outage)
{
    struct outage outage = {0};
    enum sluice_client_end end = SLUICE_CLIENT_GOES_ON;
    open_through(HANG_MS);
    must_do(redis, "RPUSH sluice:stream:j 1 2 3");
    ck_assert_int_eq(
        sluice_client_follow(client, "j", 0, HANG_MS, cut_in_between, &outage, &end, &error), 0);
    ck_assert_int_eq(end, SLUICE_CLIENT_DEAD);
    ck_assert_int_eq(outage.events, 5);
    ck_assert_uint_ge(proxy_stats(&proxy).accepted, 4);
}
END_TEST

START_TEST(following_ends_in_time)
{
    int64_t began_ns = clock_now_ns();
    open_through(HANG_MS);
    proxy_black_hole(&proxy, PROXY_REPLIES, true);
    ck_assert_int_eq(sluice_client_follow(client, "j", 0, SHORT_MS, NULL, NULL, NULL, &error),
                     -ETIME);
    ck_assert_int_lt((clock_now_ns() - began_ns) / NS_PER_MS, 10 * SHORT_MS);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("client: faults");
    TCase *tc = tcase_create("faults");
    tcase_add_checked_fixture(tc, set_up_proxy, tear_down_proxy);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, redis_away_and_back);
    tcase_add_test(tc, a_restart_between_two_calls_is_not_noticed);
    tcase_add_test(tc, a_lost_answer_is_told);
    tcase_add_test(tc, a_lost_question_is_told);
    tcase_add_loop_test(tc, no_call_lasts_longer_than_its_time, 0, 3);
    tcase_add_test(tc, a_trickle_does_not_prolong_it);
    tcase_add_test(tc, waiting_for_a_turn_is_part_of_the_time);
    tcase_add_test(tc, what_redis_refuses);
    tcase_add_test(tc, following_outlives_an_outage);
    tcase_add_test(tc, following_ends_in_time);
    return suite;
}
