/* store/inspect against a real Redis: figures, wrong types, vanished workers. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/inspect.h"
#include "store/presence.h"
#include "store/server.h"
#include "support/redis_fixture.h"

#define ALIVE "host:1:aaaaaaaaaaaa"
#define LOST  "host:2:bbbbbbbbbbbb"
#define RUBY  "host:3:cccccccccccc"

static struct redis_server server;
static struct redis_conn *conn;
static struct store *store;

static void start_server(void)
{
    must_start(&server, NULL);
}

static void stop_server(void)
{
    redis_server_free(&server);
}

static void begin(void)
{
    struct redis_options o = server_options(&server);
    conn = must_open(&o);
    must_do(conn, "FLUSHALL");
    ck_assert_int_eq(store_new("p:", NULL, &store), 0); /* every key bears the prefix */
}

static void end(void)
{
    store_free(store);
    redis_conn_free(conn);
}

static struct store_stats stats(void)
{
    struct store_stats s;
    struct err err = {""};
    ck_assert_msg(store_stats(store, conn, &s, &err) == 0, "%s", err.text);
    ck_assert(redis_conn_reusable(conn));
    return s;
}

static void seed_workers(void)
{
    must_do(conn, "SADD p:processes %s %s host:9:gone", ALIVE, RUBY);
    must_do(conn, "HSET p:" ALIVE " busy 3 concurrency 16 beat 1795506900.5 quiet true rss 2048 "
                  "rtt_us 120 info {}");
    must_do(conn, "HSET p:" RUBY " busy 2 beat 1795506900 quiet false info %s",
            "{\"queues\":[\"default\"],\"concurrency\":8}");
    must_do(conn, "SADD p:sluice:workers %s %s", ALIVE, LOST);
    must_do(conn, "SET p:sluice:lease:" ALIVE " 1");
    must_do(conn, "HSET p:sluice:claims:" ALIVE " 4 default 5 default");
    must_do(conn, "HSET p:sluice:claims:" LOST " 9 default");
    must_do(conn, "RPUSH p:sluice:claim:" ALIVE ":4 a b");
    must_do(conn, "RPUSH p:sluice:claim:" LOST ":9 c");
}

START_TEST(an_empty_redis)
{
    struct store_stats s = stats();
    ck_assert_int_eq(s.enqueued + s.claimed + s.scheduled + s.retries + s.dead + s.workers, 0);
    ck_assert_double_gt(s.now, 1e9);

    struct queue_info *queues = NULL;
    struct worker_info *workers = NULL;
    size_t n = 99;
    ck_assert_int_eq(store_queues(store, conn, &queues, &n, NULL), 0);
    ck_assert_uint_eq(n, 0);
    queue_infos_free(queues, n);
    n = 99;
    ck_assert_int_eq(store_workers(store, conn, &workers, &n, NULL), 0);
    ck_assert_uint_eq(n, 0);
    worker_infos_free(workers, n);
}
END_TEST

START_TEST(figures_add_up)
{
    char day[64];
    time_t now = (time_t)stats().now;
    struct tm tm;
    (void)strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&now, &tm));
    seed_workers();
    must_do(conn,
            "MSET p:stat:processed 100 p:stat:failed 7 p:stat:processed:%s 20 "
            "p:stat:failed:%s 2",
            day, day);
    must_do(conn, "SADD p:queues a b");
    must_do(conn, "RPUSH p:queue:a 1 2 3");
    must_do(conn, "RPUSH p:queue:b 1");
    must_do(conn, "ZADD p:schedule 1 x 2 y");
    must_do(conn, "ZADD p:retry 1 x");
    must_do(conn, "ZADD p:dead 1 x 2 y 3 z");
    struct store_stats s = stats();
    ck_assert_int_eq(s.processed, 100);
    ck_assert_int_eq(s.failed, 7);
    ck_assert_int_eq(s.processed_today, 20);
    ck_assert_int_eq(s.failed_today, 2);
    ck_assert_int_eq(s.enqueued, 4);
    ck_assert_int_eq(s.claimed, 3);
    ck_assert_int_eq(s.scheduled, 2);
    ck_assert_int_eq(s.retries, 1);
    ck_assert_int_eq(s.dead, 3);
    ck_assert_int_eq(s.workers, 2); /* the one without a hash is gone */
    ck_assert_int_eq(s.busy, 5);
}
END_TEST

/* One bad key hides itself and nothing else. */
START_TEST(wrong_types_read_as_empty)
{
    seed_workers();
    must_do(conn, "SADD p:queues good bad");
    must_do(conn, "SET p:queue:bad text");
    must_do(conn, "RPUSH p:queue:good 1");
    must_do(conn, "SET p:dead text");
    must_do(conn, "SET p:retry text");
    must_do(conn, "SET p:paused text");
    must_do(conn, "DEL p:sluice:claims:" ALIVE);
    must_do(conn, "SET p:sluice:claims:" ALIVE " text");
    must_do(conn, "LPUSH p:stat:failed text");
    struct store_stats s = stats();
    ck_assert_int_eq(s.enqueued, 1);
    ck_assert_int_eq(s.claimed, 1);
    ck_assert_int_eq(s.dead + s.retries + s.failed, 0);

    struct queue_info *q = NULL;
    size_t n = 0;
    ck_assert_int_eq(store_queues(store, conn, &q, &n, NULL), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(q[0].name, "bad");
    ck_assert(q[0].wrong_type && q[0].size == 0 && !q[0].paused);
    ck_assert(!q[1].wrong_type && q[1].size == 1 && !q[1].paused);
    queue_infos_free(q, n);

    must_do(conn, "DEL p:queues p:processes p:sluice:workers");
    must_do(conn, "MSET p:queues x p:processes y p:sluice:workers z");
    s = stats();
    ck_assert_int_eq(s.enqueued + s.workers + s.claimed, 0);
}
END_TEST

START_TEST(queues_tell_how_long_the_next_job_waits)
{
    int now = (int)stats().now;
    const struct {
        const char *queue, *before, *after; /* of the time in the job */
        int at;
        double low, high;
    } cases[] = {
        {"a-seconds", "\"enqueued_at\":", ".5", now - 100, 98, 160},
        {"b-milliseconds", "\"enqueued_at\":", "000", now - 100, 98, 160},
        {"c-created", "\"created_at\":", "", now - 100, 98, 160},
        {"d-future", "\"enqueued_at\":", ".5", now + 1000, 0, 0},
        {"e-bare", "\"other\":", "", 0, 0, 0},
        {"f-nonsense", "nonsense", "", 0, 0, 0},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    for (size_t i = 0; i < CASES; i++) {
        char job[256];
        (void)snprintf(job, sizeof job, "{\"class\":\"a\",\"args\":[],%s%d%s}", cases[i].before,
                       cases[i].at, cases[i].after);
        must_do(conn, "SADD p:queues %s", cases[i].queue);
        must_do(conn, "LPUSH p:queue:%s %s", cases[i].queue, job);
        must_do(conn, "LPUSH p:queue:%s %s", cases[i].queue, "behind");
    }
    must_do(conn, "SADD p:queues g-empty");
    must_do(conn, "SADD p:paused c-created elsewhere");

    struct queue_info *q = NULL;
    size_t n = 0;
    ck_assert_int_eq(store_queues(store, conn, &q, &n, NULL), 0);
    ck_assert_uint_eq(n, CASES + 1);
    for (size_t i = 0; i < CASES; i++) {
        ck_assert_str_eq(q[i].name, cases[i].queue);
        ck_assert_int_eq(q[i].size, 2);
        ck_assert_msg(q[i].latency_s >= cases[i].low && q[i].latency_s <= cases[i].high, "%s: %f",
                      q[i].name, q[i].latency_s);
        ck_assert_int_eq(q[i].paused, i == 2);
    }
    ck_assert(q[CASES].size == 0 && q[CASES].latency_s == 0);
    queue_infos_free(q, n);
}
END_TEST

START_TEST(workers_of_both_kinds)
{
    seed_workers();
    struct worker_info *w = NULL;
    size_t n = 0;
    ck_assert_int_eq(store_workers(store, conn, &w, &n, NULL), 0);
    ck_assert_uint_eq(n, 4);
    ck_assert_str_eq(w[0].identity, ALIVE);
    ck_assert(w[0].sluice && w[0].lease && w[0].quiet);
    ck_assert_int_eq(w[0].busy, 3);
    ck_assert_int_eq(w[0].concurrency, 16);
    ck_assert_int_eq(w[0].claims, 2);
    ck_assert_int_eq(w[0].rss_kb, 2048);
    ck_assert_int_eq(w[0].rtt_us, 120);
    ck_assert_double_eq(w[0].beat, 1795506900.5);
    ck_assert_str_eq(w[1].identity, LOST);
    ck_assert(w[1].sluice && !w[1].lease && w[1].claims == 1);
    ck_assert_str_eq(w[1].info, "");
    ck_assert_str_eq(w[2].identity, RUBY);
    ck_assert(!w[2].sluice && !w[2].lease && !w[2].quiet);
    ck_assert_int_eq(w[2].concurrency, 8); /* from its info */
    ck_assert_str_eq(w[3].identity, "host:9:gone");
    ck_assert_str_eq(w[3].info, "");
    worker_infos_free(w, n);
}
END_TEST

/* What a worker tells of its gate, and what somebody else put there. */
START_TEST(gauges_are_told)
{
    static struct gauges told;
    struct store *own;
    enum presence_signal signal;
    struct worker_info *w = NULL;
    size_t n = 0;
    struct err err = {""};
    ck_assert_int_eq(store_new("p:", ALIVE, &own), 0);
    told = (struct gauges){.known = true,
                           .permits = {100, 3, 2, 17},
                           .connections = {120, 20, 5, 21},
                           .processed = 9,
                           .failed = 4};
    histogram_add_ns(&told.duration, 3000);
    histogram_add_ns(&told.duration, 3000);
    histogram_add_ns(&told.latency, INT64_MAX);
    struct presence p = {.info = "{}", .threads = 4, .now = stats().now, .gauges = told};
    ck_assert_msg(store_presence(own, conn, &p, &signal, &err) == 0, "%s", err.text);
    ck_assert(answers_with(conn, "{\"4\":2}", "HGET p:" ALIVE " duration_us"));
    store_free(own);

    ck_assert_int_eq(store_workers(store, conn, &w, &n, NULL), 0);
    ck_assert_uint_eq(n, 1);
    const struct gauges *g = &w[0].gauges;
    ck_assert(g->known && g->processed == 9 && g->failed == 4);
    ck_assert_int_eq(memcmp(&g->permits, &told.permits, sizeof g->permits), 0);
    ck_assert_int_eq(memcmp(&g->connections, &told.connections, sizeof g->connections), 0);
    ck_assert_uint_eq(atomic_load(&g->duration.count[2]), 2);
    ck_assert_uint_eq(histogram_total(&g->duration), 2);
    ck_assert_uint_eq(atomic_load(&g->latency.count[HISTOGRAM_BUCKETS - 1]), 1);
    worker_infos_free(w, n);

    static const char *const odd[][2] = {
        {"permits", "{\"limit\":100,\"in_use\":3,\"waiting\":2}"},
        {"permits", "{\"limit\":100,\"in_use\":-3,\"waiting\":2,\"peak\":1}"},
        {"connections", "[120,20,5,21]"},
        {"connections", "120"},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char *was = must_text(conn, "HGET p:" ALIVE " %s", odd[i][0]);
        must_do(conn, "HSET p:" ALIVE " %s %s", odd[i][0], odd[i][1]);
        ck_assert_int_eq(store_workers(store, conn, &w, &n, NULL), 0);
        ck_assert_msg(!w[0].gauges.known, "%s", odd[i][1]);
        worker_infos_free(w, n);
        must_do(conn, "HSET p:" ALIVE " %s %s", odd[i][0], was);
        free(was);
    }
    must_do(conn, "HSET p:" ALIVE " duration_us %s latency_us %s",
            "{\"3\":1,\"04\":1,\"4 \":1,\"-4\":1,\"\":1,\"4294967296\":1,\"8\":-1,\"8\":1.5,"
            "\"16\":[1],\"99999999999999999999999\":1,\"32\":7}",
            "{\"4\":1");
    ck_assert_int_eq(store_workers(store, conn, &w, &n, NULL), 0);
    ck_assert_uint_eq(histogram_total(&w[0].gauges.duration), 7);
    ck_assert_uint_eq(histogram_total(&w[0].gauges.latency), 0);
    worker_infos_free(w, n);
}
END_TEST

START_TEST(the_server_describes_itself)
{
    struct server_info info;
    struct err err = {""};
    ck_assert_msg(store_server_info(conn, &info, &err) == 0, "%s", err.text);
    ck_assert_int_ge(info.version[0], '1');
    ck_assert_int_gt(info.maxclients, 0);
    ck_assert_int_ge(info.connected_clients, 1);
    ck_assert_str_eq(info.maxmemory_policy, "noeviction");
    ck_assert(!info.persistent);

    must_do(conn, "CONFIG SET save %s", "3600 1");
    ck_assert_int_eq(store_server_info(conn, &info, NULL), 0);
    ck_assert(info.persistent);
    must_do(conn, "CONFIG SET save %s", "");
}
END_TEST

START_TEST(a_server_that_tells_nothing_is_of_unknown_settings)
{
    struct redis_options o = server_options(&server);
    struct server_info info;
    struct err err = {""};
    must_do(conn, "ACL SETUSER mute on nopass ~* +ping +client +select");
    o.username = "mute";
    o.password = "any";
    struct redis_conn *mute = must_open(&o);
    ck_assert_msg(store_server_info(mute, &info, &err) == 0, "%s", err.text);
    ck_assert(info.maxclients == 0 && info.persistent);
    ck_assert_str_eq(info.version, "");
    ck_assert(redis_conn_reusable(mute));

    /* What must be known is an error, and the connection stays in step. */
    struct store_stats s;
    ck_assert_int_eq(store_stats(store, mute, &s, &err), -EACCES);
    ck_assert(redis_conn_reusable(mute));
    redis_conn_free(mute);
    must_do(conn, "ACL DELUSER mute");
}
END_TEST

START_TEST(a_lost_connection_is_reported)
{
    struct store_stats s;
    struct queue_info *q = NULL;
    struct worker_info *w = NULL;
    size_t n = 0;
    struct err err = {""};
    struct redis_options o = server_options(&server);
    struct redis_conn *doomed = must_open(&o);
    must_do(conn, "CLIENT KILL TYPE normal SKIPME yes");
    ck_assert_int_eq(store_stats(store, doomed, &s, &err), -ENOTCONN);
    ck_assert_int_eq(store_queues(store, doomed, &q, &n, &err), -ENOTCONN);
    ck_assert_int_eq(store_workers(store, doomed, &w, &n, &err), -ENOTCONN);
    redis_conn_free(doomed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("store/inspect");
    TCase *t = tcase_create("inspect");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, start_server, stop_server);
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, an_empty_redis);
    tcase_add_test(t, figures_add_up);
    tcase_add_test(t, wrong_types_read_as_empty);
    tcase_add_test(t, queues_tell_how_long_the_next_job_waits);
    tcase_add_test(t, workers_of_both_kinds);
    tcase_add_test(t, gauges_are_told);
    tcase_add_test(t, the_server_describes_itself);
    tcase_add_test(t, a_server_that_tells_nothing_is_of_unknown_settings);
    tcase_add_test(t, a_lost_connection_is_reported);
    suite_add_tcase(s, t);
    return s;
}
