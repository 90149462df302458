/* The gate against a real server: its bounds as the server sees them, and its behaviour when the
 * server goes, comes back, refuses or is full. */
#include "support/support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "support/pool_fixture.h"
#include "support/redis_fixture.h"

enum { PERMITS = 100, RESERVED = 20, CONNECTIONS = 120, HANG_MS = 60000 };

static struct redis_server server;

static void start_server(void)
{
    must_start(&server, &(struct redis_server_options){
                            .extra = (const char *const[]){"--maxclients", "128", NULL}});
}

static void stop_server(void)
{
    redis_server_free(&server);
}

static struct redis_pool *new_pool(const struct redis_options *redis, int permits, int reserved,
                                   int connections)
{
    struct redis_pool_options o = {.redis = *redis,
                                   .permits = permits,
                                   .reserved = reserved,
                                   .max_connections = connections,
                                   .idle_timeout_ms = 0};
    o.redis.name = "pooled";
    return must_pool(&o);
}

/* One gated operation. */
static int operate(struct redis_pool *pool, int64_t deadline_ns, struct err *err)
{
    struct redis_conn *c = NULL;
    int rc = redis_pool_take(pool, deadline_ns, &c, err);
    if (rc != 0)
        return rc;
    rc = redis_callf(c, NULL, err, "PING");
    redis_pool_give(pool, c);
    return rc;
}

/* Threads that operate until told to stop, and count. */
struct crowd {
    struct redis_pool *pool;
    int per_thread; /* operations; 0 = until `stop` */
    const char *command;
    atomic_bool stop;
    atomic_int begun, done, failed, left;
    struct thread *thread;
    int threads;
};

static void *crowd_main(void *arg)
{
    struct crowd *crowd = arg;
    atomic_fetch_add(&crowd->begun, 1);
    for (int i = 0; crowd->per_thread ? i < crowd->per_thread : !atomic_load(&crowd->stop); i++) {
        struct redis_conn *c = NULL;
        int rc = redis_pool_take(crowd->pool, CLOCK_NEVER, &c, NULL);
        if (rc == 0) {
            rc = redis_callf(c, NULL, NULL, crowd->command);
            redis_pool_give(crowd->pool, c);
        }
        atomic_fetch_add(rc == 0 ? &crowd->done : &crowd->failed, 1);
        if (rc == -ECANCELED)
            break;
    }
    atomic_fetch_sub(&crowd->left, 1);
    return NULL;
}

static void crowd_start(struct crowd *crowd, int threads)
{
    crowd->threads = threads;
    atomic_store(&crowd->left, threads);
    crowd->thread = calloc((size_t)threads, sizeof *crowd->thread);
    ck_assert_ptr_nonnull(crowd->thread);
    for (int i = 0; i < threads; i++)
        ck_assert_int_eq(thread_start(&crowd->thread[i], "crowd", crowd_main, crowd), 0);
}

static void crowd_join(struct crowd *crowd)
{
    atomic_store(&crowd->stop, true);
    for (int i = 0; i < crowd->threads; i++)
        thread_join(&crowd->thread[i]);
    free(crowd->thread);
}

/* The connections with our name, as the server lists them. */
static int count_ours(struct redis_conn *observer)
{
    struct reply *list = must_call(observer, "CLIENT LIST");
    int n = 0;
    for (const char *at = reply_str(list).p; (at = strstr(at, "name=pooled")) != NULL; at++)
        n++;
    reply_free(list);
    return n;
}

/* --- bounds -------------------------------------------------------------------------------- */

START_TEST(sizes_must_fit)
{
    struct err err = {""};
    ck_assert_int_eq(redis_pool_check(100, 20, 120, &err), 0);
    ck_assert_int_eq(redis_pool_check(100, 20, 119, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "100 permits + 20 reserved connections = 120"));
    ck_assert_int_eq(redis_pool_check(0, 0, 10, NULL), -EINVAL);
    ck_assert_int_eq(redis_pool_check(1, -1, 10, NULL), -EINVAL);
    ck_assert_int_eq(redis_pool_check(2147483647, 2147483647, 2147483647, &err), -EINVAL);
}
END_TEST

START_TEST(peaks_of_intervals)
{
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, PERMITS, RESERVED, CONNECTIONS);
    struct redis_conn *held[2], *private;
    int permits, connections;
    redis_pool_recent_peaks(pool, &permits, &connections);
    ck_assert(permits == 0 && connections == 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(redis_pool_take(pool, CLOCK_NEVER, &held[i], NULL), 0);
    ck_assert_int_eq(redis_pool_take_private(pool, "wait", REDIS_IN_TURN, &private, NULL), 0);
    redis_pool_give_private(pool, private);
    for (int i = 0; i < 2; i++)
        redis_pool_give(pool, held[i]);
    redis_pool_recent_peaks(pool, &permits, &connections);
    ck_assert(permits == 2 && connections == 3);
    redis_pool_recent_peaks(pool, &permits, &connections);
    ck_assert(permits == 0 && connections == 2); /* idle, and open */
    redis_pool_free(pool);
}
END_TEST

START_TEST(thousands_pass_through_the_gate)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *observer = must_open(&o);
    struct redis_pool *pool = new_pool(&o, PERMITS, RESERVED, CONNECTIONS);
    struct redis_conn *private[RESERVED];
    for (int i = 0; i < RESERVED; i++)
        ck_assert_int_eq(redis_pool_take_private(pool, "wait", REDIS_IN_TURN, &private[i], NULL),
                         0);

    /* The gate is held shut until all wait before it: so all places are open and the bound is
     * reached, however slowly threads start. */
    struct redis_conn *held[PERMITS];
    for (int i = 0; i < PERMITS; i++)
        ck_assert_int_eq(redis_pool_take(pool, CLOCK_NEVER, &held[i], NULL), 0);

    /* 16 runs of 472 operations each; every operation holds its connection for a while. */
    struct crowd crowd = {.pool = pool, .per_thread = 16, .command = "BLPOP nothing 0.01"};
    crowd_start(&crowd, 472);
    wait_until(HANG_MS, pool_stats(pool).permits_waiting == 472);
    for (int i = 0; i < PERMITS; i++)
        redis_pool_give(pool, held[i]);
    int peak = 0;
    while (atomic_load(&crowd.left) > 0) {
        int n = count_ours(observer);
        peak = n > peak ? n : peak;
        ck_assert_int_le(n, CONNECTIONS);
    }
    crowd_join(&crowd);
    ck_assert_int_eq(atomic_load(&crowd.done), 7552);
    ck_assert_int_eq(atomic_load(&crowd.failed), 0);
    ck_assert_int_eq(peak, CONNECTIONS); /* the bound was reached, so it was tested */

    struct redis_pool_stats s = pool_stats(pool);
    ck_assert_int_eq(s.permits_peak, PERMITS);
    ck_assert_int_eq(s.permits_in_use, 0);
    ck_assert_int_eq(s.permits_waiting, 0);
    ck_assert_int_eq(s.connections_peak, CONNECTIONS);
    ck_assert_int_eq(s.connections_in_use, RESERVED);
    ck_assert_uint_eq(s.takes, 7552 + PERMITS);
    ck_assert_uint_eq(s.connects, CONNECTIONS);
    ck_assert_uint_eq(s.discarded, 0);
    for (int i = 0; i < RESERVED; i++)
        redis_pool_give_private(pool, private[i]);
    redis_pool_free(pool);
    wait_until(20000, count_ours(observer) == 0);
    redis_conn_free(observer);
}
END_TEST

START_TEST(private_connections_have_a_budget)
{
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1, 2, 3);
    struct redis_conn *a = NULL, *b = NULL, *c = NULL;
    ck_assert_int_eq(redis_pool_take_private(pool, "fetch", REDIS_IN_TURN, &a, NULL), 0);
    struct reply *name = must_call(a, "CLIENT GETNAME");
    ck_assert(slice_is(reply_str(name), "pooled:fetch"));
    reply_free(name);
    ck_assert_int_eq(redis_pool_take_private(pool, "beat", REDIS_AT_ONCE, &b, NULL), 0);
    ck_assert_int_eq(redis_pool_take_private(pool, "more", REDIS_IN_TURN, &c, NULL), -EBUSY);
    ck_assert_int_eq(operate(pool, CLOCK_NEVER, NULL), 0); /* the gate is not concerned */
    redis_pool_give_private(pool, a);
    ck_assert_int_eq(redis_pool_take_private(pool, "more", REDIS_IN_TURN, &c, NULL), 0);
    ck_assert_int_eq(pool_stats(pool).reserved_open, 2);
    ck_assert_int_eq(pool_stats(pool).connections_open, 3);
    redis_pool_give_private(pool, b);
    redis_pool_give_private(pool, c);
    ck_assert_int_eq(pool_stats(pool).connections_open, 1);
    redis_pool_free(pool);
}
END_TEST

START_TEST(no_permit_before_the_deadline)
{
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1, 0, 1);
    struct redis_conn *c = must_take(pool);
    struct err err = {""};
    ck_assert_int_eq(operate(pool, clock_deadline_ms(20), &err), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(err.text, "permit"));
    redis_pool_give(pool, c);
    ck_assert_int_eq(operate(pool, clock_deadline_ms(HANG_MS), NULL), 0);
    redis_pool_free(pool);
}
END_TEST

START_TEST(resized_while_in_use)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *observer = must_open(&o);
    struct redis_pool *pool = new_pool(&o, 40, 2, 42);
    struct crowd crowd = {.pool = pool, .command = "BLPOP nothing 0.005"};
    crowd_start(&crowd, 80);
    wait_until(HANG_MS, pool_stats(pool).permits_in_use == 40);

    struct err err = {""};
    ck_assert_int_eq(redis_pool_resize(pool, 41, &err), -EINVAL);
    ck_assert_int_eq(redis_pool_resize(pool, 0, NULL), -EINVAL);
    ck_assert_int_eq(redis_pool_resize(pool, 3, NULL), 0);
    wait_until(HANG_MS, pool_stats(pool).permits_in_use <= 3);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_le(pool_stats(pool).permits_in_use, 3);
        ck_assert_int_le(count_ours(observer), 42);
    }
    int before = atomic_load(&crowd.done);
    wait_until(HANG_MS, atomic_load(&crowd.done) > before + 10); /* three still work */
    ck_assert_int_eq(redis_pool_resize(pool, 40, NULL), 0);
    wait_until(HANG_MS, pool_stats(pool).permits_in_use == 40);
    crowd_join(&crowd);
    ck_assert_int_eq(atomic_load(&crowd.failed), 0);
    ck_assert_int_eq(pool_stats(pool).connections_peak, 40);
    redis_pool_free(pool);
    redis_conn_free(observer);
}
END_TEST

/* --- reuse --------------------------------------------------------------------------------- */

START_TEST(last_in_first_out_and_tended)
{
    struct redis_options redis = server_options(&server);
    struct redis_pool_options o = {
        .redis = redis, .permits = 4, .max_connections = 4, .idle_timeout_ms = 100};
    struct redis_pool *pool = NULL;
    ck_assert_int_eq(redis_pool_new(&o, &pool, NULL), 0);
    struct redis_conn *c[4];
    for (int i = 0; i < 4; i++)
        c[i] = must_take(pool);
    for (int i = 0; i < 4; i++)
        redis_pool_give(pool, c[i]);
    redis_pool_tend(pool); /* nothing is old yet, unless this machine is very slow */
    struct redis_conn *last = must_take(pool);
    ck_assert_ptr_eq(last, c[3]);

    wait_until(HANG_MS, (redis_pool_tend(pool), pool_stats(pool).connections_open == 1));
    ck_assert_int_eq(pool_stats(pool).permits_in_use, 1);
    redis_pool_give(pool, last);
    wait_until(HANG_MS, (redis_pool_tend(pool), pool_stats(pool).connections_open == 0));
    ck_assert_int_eq(operate(pool, clock_deadline_ms(HANG_MS), NULL), 0);
    redis_pool_free(pool);
}
END_TEST

START_TEST(unfit_connections_are_not_reused)
{
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1, 0, 1);
    struct redis_conn *observer = must_open(&o);

    struct redis_conn *c = must_take(pool); /* given back with a reply outstanding */
    struct command cmd = {0};
    command_text(&cmd, "PING");
    ck_assert_int_eq(redis_conn_send(c, &cmd), 0);
    command_release(&cmd);
    redis_pool_give(pool, c);
    ck_assert_int_eq(pool_stats(pool).connections_open, 0);
    ck_assert_uint_eq(pool_stats(pool).discarded, 1);

    c = must_take(pool); /* killed while idle */
    int id = (int)must_int(c, "CLIENT ID");
    redis_pool_give(pool, c);
    ck_assert_int_eq(must_int(observer, "CLIENT KILL ID %d", id), 1);
    wait_until(HANG_MS, count_ours(observer) == 0);
    ck_assert_int_eq(operate(pool, clock_deadline_ms(HANG_MS), NULL), 0);
    ck_assert_uint_eq(pool_stats(pool).discarded, 2);

    c = must_take(pool); /* killed while in use */
    id = (int)must_int(c, "CLIENT ID");
    ck_assert_int_eq(must_int(observer, "CLIENT KILL ID %d", id), 1);
    ck_assert_int_eq(redis_callf(c, NULL, NULL, "PING"), -ENOTCONN);
    redis_pool_give(pool, c);
    ck_assert_uint_eq(pool_stats(pool).discarded, 3);
    ck_assert_int_eq(operate(pool, clock_deadline_ms(HANG_MS), NULL), 0);
    redis_conn_free(observer);
    redis_pool_free(pool);
}
END_TEST

START_TEST(a_timed_out_reply_stays_in_the_dark)
{
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    o.socket_timeout_ms = 50;
    struct redis_pool *pool = new_pool(&o, 1, 0, 1);
    struct redis_conn *c = must_take(pool);
    proxy_delay(&proxy, PROXY_REPLIES, 200);
    ck_assert_int_eq(redis_callf(c, NULL, NULL, "ECHO late"), -ENOTCONN);
    redis_pool_give(pool, c);
    proxy_delay(&proxy, PROXY_REPLIES, 0);
    for (int i = 0; i < 20; i++) {
        c = must_take(pool);
        struct reply *r = NULL;
        if (redis_callf(c, &r, NULL, "ECHO %d", i) == 0)
            ck_assert_int_eq(reply_int(r), i);
        reply_free(r);
        redis_pool_give(pool, c);
    }
    redis_pool_free(pool);
    proxy_stop(&proxy);
}
END_TEST

/* --- outage -------------------------------------------------------------------------------- */

START_TEST(an_outage_is_waited_for)
{
    struct redis_server own;
    must_start(&own, NULL);
    struct redis_options o = server_options(&own);
    struct redis_pool *pool = new_pool(&o, 10, 2, 12);
    struct redis_conn *private = NULL;
    ck_assert_int_eq(redis_pool_take_private(pool, "beat", REDIS_AT_ONCE, &private, NULL), 0);
    struct crowd crowd = {.pool = pool, .command = "PING"};
    crowd_start(&crowd, 60);
    wait_until(HANG_MS, atomic_load(&crowd.done) > 1000);

    redis_server_kill(&own);
    wait_until(HANG_MS, pool_stats(pool).breaker_open && pool_stats(pool).connections_in_use <= 2);
    wait_until(HANG_MS, pool_stats(pool).permits_in_use <= 1); /* waiting holds no permit */
    ck_assert_int_le(atomic_load(&crowd.failed), 10);          /* those under way: a permit each */

    struct err err = {""}; /* a deadline ends the wait, with the reason */
    ck_assert_int_eq(operate(pool, clock_deadline_ms(30), &err), -ENOTCONN);
    ck_assert_msg(strstr(err.text, own.socket) != NULL, "%s", err.text);
    redis_pool_give_private(pool, private);
    private = NULL;
    ck_assert_int_eq(redis_pool_take_private(pool, "beat", REDIS_AT_ONCE, &private, NULL),
                     -ENOTCONN);

    int failed = atomic_load(&crowd.failed);
    must_restart(&own);
    while (redis_pool_take_private(pool, "beat", REDIS_AT_ONCE, &private, NULL) != 0)
        redis_pool_wait_ready(pool, clock_deadline_ms(HANG_MS));
    int before = atomic_load(&crowd.done);
    wait_until(HANG_MS, atomic_load(&crowd.done) > before + 1000);
    crowd_join(&crowd);
    ck_assert_int_eq(atomic_load(&crowd.failed), failed); /* those who waited saw no error */
    ck_assert(!pool_stats(pool).breaker_open);
    redis_pool_give_private(pool, private);
    redis_pool_free(pool);
    redis_server_free(&own);
}
END_TEST

START_TEST(one_attempt_at_a_time)
{
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    struct redis_pool *pool = new_pool(&o, 10, 0, 10);
    proxy_refuse(&proxy, true);
    ck_assert_int_eq(operate(pool, clock_deadline_ms(0), NULL), -ENOTCONN);
    ck_assert(pool_stats(pool).breaker_open);

    /* From here on only the holder of the trial connects: with 200 threads waiting, the attempts
     * are as many as the delays that have passed. A delay is 25 ms at the least, and from the
     * third on twice and more of that on average. */
    int64_t start_ns = clock_now_ns();
    uint64_t accepted = proxy_stats(&proxy).accepted;
    struct crowd crowd = {.pool = pool, .command = "PING"};
    crowd_start(&crowd, 200);
    wait_until(HANG_MS, proxy_stats(&proxy).refused >= accepted + 5);
    uint64_t attempts = proxy_stats(&proxy).accepted - accepted;
    int64_t elapsed_ms = (clock_now_ns() - start_ns) / NS_PER_MS;
    ck_assert_int_le((int64_t)attempts, elapsed_ms / 25 + 1);
    ck_assert_int_eq(atomic_load(&crowd.done) + atomic_load(&crowd.failed), 0);
    ck_assert_int_le(pool_stats(pool).permits_in_use, 1);

    proxy_refuse(&proxy, false);
    wait_until(HANG_MS, atomic_load(&crowd.done) > 1000);
    crowd_join(&crowd);
    ck_assert_int_eq(atomic_load(&crowd.failed), 0);
    redis_pool_free(pool);
    proxy_stop(&proxy);
}
END_TEST

START_TEST(refused_credentials_are_told_at_once)
{
    struct redis_options o = server_options(&server);
    o.password = "SECRET-wrong";
    o.username = "default-not";
    struct redis_pool *pool = new_pool(&o, 2, 1, 3);
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_pool_take(pool, CLOCK_NEVER, &c, &err), -EACCES);
    ck_assert_ptr_null(strstr(err.text, "SECRET"));
    ck_assert(pool_stats(pool).breaker_open);
    ck_assert_int_eq(pool_stats(pool).connections_open, 0);
    ck_assert_int_eq(pool_stats(pool).permits_in_use, 0);
    /* The next one waits for its turn to try, and is told the same. */
    ck_assert_int_eq(redis_pool_take(pool, CLOCK_NEVER, &c, &err), -EACCES);
    ck_assert_uint_eq(pool_stats(pool).connect_failures, 2);
    redis_pool_free(pool);
}
END_TEST

/* A server that has no room for more: connections that exist go on working, for everybody. */
START_TEST(a_full_server_serves_the_connections_there_are)
{
    struct redis_server own;
    must_start(&own, &(struct redis_server_options){
                         .extra = (const char *const[]){"--maxclients", "8", NULL}});
    struct redis_options o = server_options(&own);
    struct redis_pool *pool = new_pool(&o, 20, 0, 20);
    struct redis_conn *held[6];
    for (int i = 0; i < 6; i++)
        held[i] = must_take(pool);
    struct crowd crowd = {.pool = pool, .command = "PING"};
    crowd_start(&crowd, 60);
    wait_until(HANG_MS, pool_stats(pool).connect_failures > 0);
    int before = atomic_load(&crowd.done);
    wait_until(HANG_MS, atomic_load(&crowd.done) > before + 2000);
    ck_assert_int_eq(atomic_load(&crowd.failed), 0);
    crowd_join(&crowd);
    for (int i = 0; i < 6; i++)
        redis_pool_give(pool, held[i]);
    redis_pool_free(pool);
    redis_server_free(&own);
}
END_TEST

/* --- the end ------------------------------------------------------------------------------- */

START_TEST(stop_wakes_those_who_wait_for_a_permit)
{
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1, 1, 2);
    struct redis_conn *c = must_take(pool);
    struct crowd crowd = {.pool = pool, .command = "PING"};
    crowd_start(&crowd, 20);
    wait_until(HANG_MS, pool_stats(pool).permits_waiting == 20);
    redis_pool_stop(pool);
    crowd_join(&crowd);
    ck_assert_int_eq(atomic_load(&crowd.failed), 20);
    must_do(c, "PING"); /* what is in use stays usable */
    redis_pool_give(pool, c);
    struct redis_conn *d = NULL;
    ck_assert_int_eq(redis_pool_take(pool, CLOCK_NEVER, &d, NULL), -ECANCELED);
    ck_assert_int_eq(redis_pool_take_private(pool, "x", REDIS_IN_TURN, &d, NULL), -ECANCELED);
    redis_pool_free(pool);
}
END_TEST

START_TEST(stop_wakes_those_who_wait_for_the_server)
{
    struct redis_options o = server_options(&server);
    o.path = "/nonexistent/r.sock";
    struct redis_pool *pool = new_pool(&o, 5, 0, 5);
    struct crowd crowd = {.pool = pool, .command = "PING"};
    crowd_start(&crowd, 20);
    wait_until(HANG_MS, atomic_load(&crowd.begun) == 20 && pool_stats(pool).connect_failures >= 3);
    redis_pool_stop(pool);
    redis_pool_wait_ready(pool, CLOCK_NEVER);
    crowd_join(&crowd);
    ck_assert_int_eq(atomic_load(&crowd.failed), 20);
    redis_pool_free(pool);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/pool");
    TCase *t = tcase_create("pool");
    tcase_set_timeout(t, 240);
    tcase_add_unchecked_fixture(t, start_server, stop_server);
    tcase_add_test(t, sizes_must_fit);
    tcase_add_test(t, peaks_of_intervals);
    tcase_add_test(t, thousands_pass_through_the_gate);
    tcase_add_test(t, private_connections_have_a_budget);
    tcase_add_test(t, no_permit_before_the_deadline);
    tcase_add_test(t, resized_while_in_use);
    tcase_add_test(t, last_in_first_out_and_tended);
    tcase_add_test(t, unfit_connections_are_not_reused);
    tcase_add_test(t, a_timed_out_reply_stays_in_the_dark);
    tcase_add_test(t, an_outage_is_waited_for);
    tcase_add_test(t, one_attempt_at_a_time);
    tcase_add_test(t, refused_credentials_are_told_at_once);
    tcase_add_test(t, a_full_server_serves_the_connections_there_are);
    tcase_add_test(t, stop_wakes_those_who_wait_for_a_permit);
    tcase_add_test(t, stop_wakes_those_who_wait_for_the_server);
    suite_add_tcase(s, t);
    return s;
}
