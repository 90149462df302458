/* Scripts by digest against a real server: loaded, forgotten, pipelined, failing. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/script.h"
#include "support/redis_fixture.h"

static struct redis_server server;

/* Digests by sha1sum. */
static const struct script add_one = {
    .name = "add_one",
    .source = "return redis.call('INCR', KEYS[1])",
    .source_len = sizeof "return redis.call('INCR', KEYS[1])" - 1,
    .sha1 = "61636018f4e6b5817b89791bbed242f93fa089e3",
};
static const struct script echo = {
    .name = "echo",
    .source = "return ARGV",
    .source_len = sizeof "return ARGV" - 1,
    .sha1 = "4cf2342858f27cba86b2b790280b0ba54885a7d0",
};
static const struct script failing = {
    .name = "failing",
    .source = "redis.call('INCR', KEYS[1]) return {err = 'ERR not NOSCRIPT but close'}",
    .source_len =
        sizeof "redis.call('INCR', KEYS[1]) return {err = 'ERR not NOSCRIPT but close'}" - 1,
    .sha1 = "fc159d9e6a7af9693e1d3bea5edcb35d02952da5",
};

static struct redis_conn *conn;

static void start_server(void)
{
    must_start(&server, NULL);
}

static void stop_server(void)
{
    redis_server_free(&server);
}

static void open_conn(void)
{
    struct redis_options o = server_options(&server);
    conn = must_open(&o);
    must_do(conn, "FLUSHALL");
    must_do(conn, "SCRIPT FLUSH SYNC");
}

static void close_conn(void)
{
    redis_conn_free(conn);
}

static int64_t run_add_one(void)
{
    struct script_call call = {0};
    script_begin(&call, &add_one, 1);
    command_text(&call.cmd, "n");
    struct reply *r = NULL;
    struct err err = {""};
    if (script_run(conn, &call, &r, &err) != 0)
        ck_abort_msg("%s", err.text);
    int64_t n = reply_int(r);
    reply_free(r);
    script_call_release(&call);
    return n;
}

static int64_t calls_of(const char *command)
{
    struct reply *r = must_call(conn, "INFO commandstats");
    char key[64];
    (void)snprintf(key, sizeof key, "cmdstat_%s:calls=", command);
    const char *at = strstr(reply_str(r).p, key);
    int64_t n = at ? strtoll(at + strlen(key), NULL, 10) : 0;
    reply_free(r);
    return n;
}

START_TEST(loaded_once)
{
    must_do(conn, "CONFIG RESETSTAT");
    for (int i = 1; i <= 10; i++)
        ck_assert_int_eq(run_add_one(), i);
    ck_assert_int_eq(calls_of("eval"), 1);
    ck_assert_int_eq(calls_of("evalsha"), 10);
}
END_TEST

START_TEST(forgotten_again_and_again)
{
    for (int i = 1; i <= 20; i++) {
        ck_assert_int_eq(run_add_one(), i); /* never twice, never not at all */
        must_do(conn, "SCRIPT FLUSH SYNC");
    }
}
END_TEST

START_TEST(arguments_survive_the_repetition)
{
    char bytes[] = "\0\r\n$5\xff";
    struct script_call call = {0};
    script_begin(&call, &echo, 0);
    command_add(&call.cmd, (struct slice){bytes, sizeof bytes - 1});
    command_copy(&call.cmd, (struct slice){bytes, sizeof bytes - 1});
    command_int(&call.cmd, -12);
    command_text(&call.cmd, "");
    for (int round = 0; round < 2; round++) { /* by source, then by digest */
        struct reply *r = NULL;
        ck_assert_int_eq(script_run(conn, &call, &r, NULL), 0);
        ck_assert_uint_eq(reply_count(r), 4);
        ck_assert(slice_eq(reply_str(reply_at(r, 0)), (struct slice){bytes, sizeof bytes - 1}));
        ck_assert(slice_eq(reply_str(reply_at(r, 1)), (struct slice){bytes, sizeof bytes - 1}));
        ck_assert_int_eq(reply_int(reply_at(r, 2)), -12);
        ck_assert_uint_eq(reply_str(reply_at(r, 3)).n, 0);
        reply_free(r);
    }
    script_call_release(&call);
}
END_TEST

START_TEST(an_error_is_reported_and_not_repeated)
{
    struct script_call call = {0};
    script_begin(&call, &failing, 1);
    command_text(&call.cmd, "n");
    for (int i = 1; i <= 2; i++) {
        struct err err = {""};
        ck_assert_int_eq(script_run(conn, &call, NULL, &err), -EPROTO);
        ck_assert_ptr_nonnull(strstr(err.text, "script failing"));
        ck_assert_int_eq(must_int(conn, "GET n"), i);
    }
    script_call_release(&call);
}
END_TEST

enum { CALLS = 5 };

static void begin_all(struct script_call *call, const struct script_call **at)
{
    for (int i = 0; i < CALLS; i++) {
        script_begin(&call[i], i == 2 ? &echo : &add_one, i == 2 ? 0 : 1);
        command_text(&call[i].cmd, i == 4 ? "text" : "n");
        at[i] = &call[i];
    }
}

static void end_all(struct script_call *call, struct reply **r)
{
    for (int i = 0; i < CALLS; i++) {
        script_call_release(&call[i]);
        reply_free(r[i]);
    }
}

START_TEST(pipelined_with_one_unknown_and_one_error)
{
    must_do(conn, "SET text x");
    ck_assert_int_eq(run_add_one(), 1); /* known from here on; echo is not */

    struct script_call call[CALLS] = {0};
    const struct script_call *at[CALLS];
    struct reply *r[CALLS];
    begin_all(call, at);
    ck_assert_int_eq(script_run_all(conn, at, CALLS, r, NULL), 0);
    ck_assert_int_eq(reply_int(r[0]), 2);
    ck_assert_int_eq(reply_int(r[1]), 3);
    ck_assert(slice_is(reply_str(reply_at(r[2], 0)), "n"));
    ck_assert_int_eq(reply_int(r[3]), 4);
    ck_assert_int_ne(reply_error(r[4], NULL), 0);
    ck_assert(redis_conn_reusable(conn));
    end_all(call, r);
}
END_TEST

START_TEST(pipelined_after_a_flush)
{
    must_do(conn, "SET text 100");
    struct script_call call[CALLS] = {0};
    const struct script_call *at[CALLS];
    struct reply *r[CALLS];
    begin_all(call, at);
    ck_assert_int_eq(script_run_all(conn, at, CALLS, r, NULL), 0);
    ck_assert_int_eq(reply_int(r[0]) + reply_int(r[1]) + reply_int(r[3]), 1 + 2 + 3);
    ck_assert_int_eq(reply_int(r[4]), 101);
    end_all(call, r);
}
END_TEST

START_TEST(pipelined_and_cut_at_every_byte)
{
    static const char wire[] = ":1\r\n:2\r\n*1\r\n$1\r\nn\r\n:3\r\n:101\r\n";
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    must_do(conn, "SCRIPT LOAD %s", add_one.source);
    must_do(conn, "SCRIPT LOAD %s", echo.source);
    for (size_t k = 0; k < sizeof wire - 1; k++) {
        must_do(conn, "SET text 100");
        must_do(conn, "DEL n");
        struct redis_conn *c = must_open(&o);
        struct script_call call[CALLS] = {0};
        const struct script_call *at[CALLS];
        struct reply *r[CALLS];
        begin_all(call, at);
        proxy_cut(&proxy, PROXY_REPLIES, (int64_t)k);
        ck_assert_int_eq(script_run_all(c, at, CALLS, r, NULL), -ENOTCONN);
        static const size_t end[CALLS] = {4, 8, 19, 23, sizeof wire - 1};
        for (int i = 0; i < CALLS; i++) /* what has arrived whole is there, and no more */
            ck_assert_msg((r[i] != NULL) == (end[i] <= k), "reply %d, cut after %zu", i, k);
        ck_assert_uint_eq(proxy_stats(&proxy).cuts, k + 1);
        end_all(call, r);
        redis_conn_free(c);
        wait_until(20000, must_int(conn, "GET text") == 101); /* all of it has happened */
    }
    proxy_stop(&proxy);
}
END_TEST

START_TEST(digests_are_right)
{
    const struct script *all[] = {&add_one, &echo, &failing};
    for (int i = 0; i < 3; i++) {
        struct reply *r = must_call(conn, "SCRIPT LOAD %s", all[i]->source);
        ck_assert(slice_is(reply_str(r), all[i]->sha1));
        reply_free(r);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/script");
    TCase *t = tcase_create("script");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, start_server, stop_server);
    tcase_add_checked_fixture(t, open_conn, close_conn);
    tcase_add_test(t, digests_are_right);
    tcase_add_test(t, loaded_once);
    tcase_add_test(t, forgotten_again_and_again);
    tcase_add_test(t, arguments_survive_the_repetition);
    tcase_add_test(t, an_error_is_reported_and_not_repeated);
    tcase_add_test(t, pipelined_with_one_unknown_and_one_error);
    tcase_add_test(t, pipelined_after_a_flush);
    tcase_add_test(t, pipelined_and_cut_at_every_byte);
    suite_add_tcase(s, t);
    return s;
}
