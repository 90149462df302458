/* Operations that ride on the connection of another: each gets its own reply or its own error, and
 * what befalls the connection befalls all aboard and nobody else. */
#include "support/support.h"

#include <stdatomic.h>
#include <string.h>

#include "base/random.h"
#include "base/thread.h"
#include "support/pool_fixture.h"
#include "support/redis_fixture.h"

enum { HANG_MS = 60000 };

static struct redis_server server;

static void start_server(void)
{
    must_start(&server, &(struct redis_server_options){0});
}

static void stop_server(void)
{
    redis_server_free(&server);
}

static struct redis_pool *new_pool(const struct redis_options *redis, int permits)
{
    return must_pool(&(struct redis_pool_options){
        .redis = *redis, .permits = permits, .max_connections = permits});
}

/* One operation, of one command or two, in a thread of its own. */
struct call {
    struct redis_pool *pool;
    int64_t deadline_ns;
    struct command cmd[2];
    int n;
    struct thread thread;
    int rc;
    struct reply *reply[2];
    struct err err;
};

static void *call_main(void *arg)
{
    struct call *c = arg;
    c->rc = redis_pool_call(c->pool, c->deadline_ns, c->cmd, c->n, c->reply, &c->err);
    return NULL;
}

static void call_begin(struct call *c)
{
    *c = (struct call){.deadline_ns = CLOCK_NEVER, .rc = 1};
}

static void call_echo(struct call *c, int number)
{
    struct command *cmd = &c->cmd[c->n++];
    command_text(cmd, "ECHO");
    command_int(cmd, number);
}

static void call_add(struct call *c, const char *key, int number)
{
    struct command *cmd = &c->cmd[c->n++];
    command_text(cmd, "INCRBY");
    command_text(cmd, key);
    command_int(cmd, number);
}

static void call_start(struct call *c, struct redis_pool *pool)
{
    c->pool = pool;
    ck_assert_int_eq(thread_start(&c->thread, "call", call_main, c), 0);
}

static void call_end(struct call *c)
{
    for (int i = 0; i < c->n; i++) {
        command_release(&c->cmd[i]);
        reply_free(c->reply[i]);
    }
}

/* While somebody else has the only permit of the pool. */
static void join_line(struct call *c, struct redis_pool *pool)
{
    int before = pool_stats(pool).permits_waiting;
    call_start(c, pool);
    wait_until(HANG_MS, pool_stats(pool).permits_waiting == before + 1);
}

/* --- replies ------------------------------------------------------------------------------- */

START_TEST(each_gets_its_own_replies)
{
    enum { N = 300 };
    static struct call call[N];
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1);
    struct redis_conn *held = must_take(pool);
    for (int i = 0; i < N; i++) {
        call_begin(&call[i]);
        call_echo(&call[i], i);
        call_add(&call[i], "n", 1);
        call_start(&call[i], pool);
    }
    wait_until(HANG_MS, pool_stats(pool).permits_waiting == N);
    redis_pool_give(pool, held);
    bool seen[N + 1] = {false};
    for (int i = 0; i < N; i++) {
        thread_join(&call[i].thread);
        ck_assert_int_eq(call[i].rc, 0);
        ck_assert_int_eq(reply_int(call[i].reply[0]), i);
        int64_t n = reply_int(call[i].reply[1]);
        ck_assert(n >= 1 && n <= N && !seen[n]);
        seen[n] = true;
        call_end(&call[i]);
    }
    struct redis_pool_stats s = pool_stats(pool);
    ck_assert_uint_eq(s.takes, 1 + 3); /* 129, 129 and 42 of them shared a connection */
    ck_assert_uint_eq(s.rode, N - 3);
    ck_assert_uint_eq(s.connects, 1);
    redis_pool_free(pool);
}
END_TEST

/* Where nobody waits there is nobody to ride with. */
START_TEST(alone_it_takes_a_connection)
{
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1);
    struct call call;
    call_begin(&call);
    call_add(&call, "n", 7);
    ck_assert_int_eq(redis_pool_call(pool, CLOCK_NEVER, call.cmd, 1, call.reply, NULL), 0);
    ck_assert_int_eq(reply_int(call.reply[0]), 7);
    ck_assert_int_eq(redis_pool_call(pool, CLOCK_NEVER, call.cmd, 1, NULL, NULL), 0);
    struct redis_conn *c = must_take(pool);
    ck_assert_int_eq(must_int(c, "GET n"), 14);
    redis_pool_give(pool, c);
    ck_assert_uint_eq(pool_stats(pool).takes, 3);
    ck_assert_uint_eq(pool_stats(pool).rode, 0);
    call_end(&call);
    redis_pool_free(pool);
}
END_TEST

START_TEST(an_error_is_its_own)
{
    enum { N = 30 };
    struct call call[N];
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1);
    struct redis_conn *held = must_take(pool);
    must_do(held, "RPUSH list a");
    for (int i = 0; i < N; i++) { /* every third fails at once, the next at its second command */
        call_begin(&call[i]);
        call_add(&call[i], i % 3 == 0 ? "list" : "n", 1);
        call_add(&call[i], i % 3 == 1 ? "list" : "n", 1);
        join_line(&call[i], pool);
    }
    redis_pool_give(pool, held);
    for (int i = 0; i < N; i++) {
        thread_join(&call[i].thread);
        if (i % 3 == 2) {
            ck_assert_int_eq(call[i].rc, 0);
            ck_assert_int_eq(reply_int(call[i].reply[0]) + 1, reply_int(call[i].reply[1]));
        } else {
            ck_assert_int_eq(call[i].rc, -EMEDIUMTYPE);
            ck_assert_ptr_nonnull(strstr(call[i].err.text, "WRONGTYPE"));
            ck_assert_ptr_null(call[i].reply[0]);
            ck_assert_ptr_null(call[i].reply[1]);
        }
        call_end(&call[i]);
    }
    ck_assert_uint_eq(pool_stats(pool).rode, N - 1);
    ck_assert_uint_eq(pool_stats(pool).connects,
                      1); /* an error reply is no failure of the connection */
    redis_pool_free(pool);
}
END_TEST

/* Of small, large, small the second is not passed by; and it takes the third along. */
START_TEST(a_large_one_carries_and_does_not_ride)
{
    enum { N = 3 };
    static char value[4096];
    struct call call[N];
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1);
    struct redis_conn *held = must_take(pool);
    memset(value, 'x', sizeof value - 1);
    for (int i = 0; i < N; i++) {
        call_begin(&call[i]);
        call_echo(&call[i], i);
        if (i == 1) {
            command_clear(&call[i].cmd[0]);
            command_text(&call[i].cmd[0], "ECHO");
            command_text(&call[i].cmd[0], value);
        }
        join_line(&call[i], pool);
    }
    redis_pool_give(pool, held);
    for (int i = 0; i < N; i++) {
        thread_join(&call[i].thread);
        ck_assert_int_eq(call[i].rc, 0);
        if (i == 1)
            ck_assert(slice_is(reply_str(call[i].reply[0]), value));
        else
            ck_assert_int_eq(reply_int(call[i].reply[0]), i);
        call_end(&call[i]);
    }
    ck_assert_uint_eq(pool_stats(pool).takes, 1 + 2);
    ck_assert_uint_eq(pool_stats(pool).rode, 1);
    redis_pool_free(pool);
}
END_TEST

START_TEST(what_cannot_be_stored_is_not_sent)
{
    struct call call[2];
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1);
    struct redis_conn *held = must_take(pool);
    for (int i = 0; i < 2; i++) {
        call_begin(&call[i]);
        call_echo(&call[i], i);
        call[i].cmd[0].failed = i == 0; /* as if there had been no memory for an argument */
        join_line(&call[i], pool);
    }
    redis_pool_give(pool, held);
    for (int i = 0; i < 2; i++)
        thread_join(&call[i].thread);
    ck_assert_int_eq(call[0].rc, -ENOMEM);
    ck_assert_str_ne(call[0].err.text, "");
    ck_assert_int_eq(call[1].rc, 0);
    ck_assert_int_eq(reply_int(call[1].reply[0]), 1);
    call_end(&call[0]);
    call_end(&call[1]);
    redis_pool_free(pool);
}
END_TEST

/* --- the line ------------------------------------------------------------------------------ */

START_TEST(the_line_has_deadlines_and_a_stop)
{
    struct call late, stopped;
    struct redis_options o = server_options(&server);
    struct redis_pool *pool = new_pool(&o, 1);
    struct redis_conn *held = must_take(pool);
    call_begin(&late);
    call_echo(&late, 1);
    late.deadline_ns = clock_deadline_ms(20);
    call_start(&late, pool);
    thread_join(&late.thread);
    ck_assert_int_eq(late.rc, -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(late.err.text, "no Redis permit before the deadline"));
    call_begin(&stopped);
    call_echo(&stopped, 1);
    join_line(&stopped, pool);
    redis_pool_stop(pool);
    thread_join(&stopped.thread);
    ck_assert_int_eq(stopped.rc, -ECANCELED);
    call_end(&late);
    call_end(&stopped);
    redis_pool_give(pool, held);
    redis_pool_free(pool);
}
END_TEST

/* --- failures ------------------------------------------------------------------------------ */

/* The replies are of nine bytes each. Whose reply came whole has it, the others know nothing. */
static void cut_after(int bytes)
{
    enum { N = 40, FIRST = 100, EACH = 9 };
    struct call call[N];
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    struct redis_pool *pool = new_pool(&o, 1);
    struct redis_conn *held = must_take(pool);
    for (int i = 0; i < N; i++) {
        call_begin(&call[i]);
        call_echo(&call[i], FIRST + i);
        join_line(&call[i], pool);
    }
    proxy_cut(&proxy, PROXY_REPLIES, bytes);
    redis_pool_give(pool, held);
    for (int i = 0; i < N; i++) {
        thread_join(&call[i].thread);
        ck_assert_int_eq(call[i].rc, i < bytes / EACH ? 0 : -ENOTCONN);
        if (call[i].rc == 0)
            ck_assert_int_eq(reply_int(call[i].reply[0]), FIRST + i);
        else
            ck_assert_str_ne(call[i].err.text, "");
        call_end(&call[i]);
    }
    ck_assert_uint_eq(proxy_stats(&proxy).cuts, 1);
    ck_assert_uint_eq(pool_stats(pool).rode, N - 1);
    ck_assert_uint_eq(pool_stats(pool).discarded, 1);
    call_begin(&call[0]); /* on a new connection */
    call_echo(&call[0], 1);
    ck_assert_int_eq(redis_pool_call(pool, CLOCK_NEVER, call[0].cmd, 1, NULL, NULL), 0);
    call_end(&call[0]);
    redis_pool_free(pool);
    proxy_stop(&proxy);
}

START_TEST(a_cut_is_for_all_behind_it)
{
    static const int at[] = {0, 1, 8, 9, 10, 100, 180, 351, 359};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        cut_after(at[i]);
}
END_TEST

/* Many call at once while connections break, and nobody ever has the reply of another. */
struct storm {
    struct redis_pool *pool;
    atomic_int done, lost, wrong;
    atomic_bool stop;
};

static void *storm_main(void *arg)
{
    struct storm *s = arg;
    while (!atomic_load(&s->stop)) {
        int number = 1 + (int)random_below(1000000);
        struct call call;
        call_begin(&call);
        call_echo(&call, number);
        call_add(&call, "n", 1);
        int rc = redis_pool_call(s->pool, CLOCK_NEVER, call.cmd, 2, call.reply, &call.err);
        if (rc == 0)
            atomic_fetch_add(reply_int(call.reply[0]) == number ? &s->done : &s->wrong, 1);
        else
            atomic_fetch_add(rc == -ENOTCONN ? &s->lost : &s->wrong, 1);
        call_end(&call);
    }
    return NULL;
}

START_TEST(no_reply_goes_astray)
{
    enum { THREADS = 32, PERMITS = 3, CUTS = 20 };
    struct thread thread[THREADS];
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    struct storm storm = {.pool = new_pool(&o, PERMITS)};
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&thread[i], "storm", storm_main, &storm), 0);
    wait_until(HANG_MS, pool_stats(storm.pool).rode > THREADS);
    for (unsigned i = 0; i < CUTS; i++) {
        int done = atomic_load(&storm.done);
        proxy_cut(&proxy, i % 2 ? PROXY_REPLIES : PROXY_REQUESTS, (int64_t)random_below(2000));
        wait_until(HANG_MS, proxy_stats(&proxy).cuts == i + 1);
        wait_until(HANG_MS, atomic_load(&storm.done) > done + THREADS);
    }
    /* While connections come back one by one whoever finds none sleeps, and rides again later. */
    uint64_t rode = pool_stats(storm.pool).rode;
    wait_until(HANG_MS, pool_stats(storm.pool).rode > rode + THREADS);
    atomic_store(&storm.stop, true);
    for (int i = 0; i < THREADS; i++)
        thread_join(&thread[i]);
    int done = atomic_load(&storm.done), lost = atomic_load(&storm.lost);
    ck_assert_int_eq(atomic_load(&storm.wrong), 0);
    ck_assert_int_gt(lost, 0);
    redis_pool_free(storm.pool);
    proxy_stop(&proxy);

    struct redis_options direct = server_options(&server);
    struct redis_conn *c = must_open(&direct);
    int64_t n = must_int(c, "GET n");
    ck_assert(n >= done && n <= done + lost); /* once each, or unknown */
    redis_conn_free(c);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis ride");
    TCase *tc = tcase_create("ride");
    tcase_add_checked_fixture(tc, start_server, stop_server);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, each_gets_its_own_replies);
    tcase_add_test(tc, alone_it_takes_a_connection);
    tcase_add_test(tc, an_error_is_its_own);
    tcase_add_test(tc, a_large_one_carries_and_does_not_ride);
    tcase_add_test(tc, what_cannot_be_stored_is_not_sent);
    tcase_add_test(tc, the_line_has_deadlines_and_a_stop);
    tcase_add_test(tc, a_cut_is_for_all_behind_it);
    tcase_add_test(tc, no_reply_goes_astray);
    suite_add_tcase(s, tc);
    return s;
}
