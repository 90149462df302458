/* Replies to the store's scripts that no script of ours gives: refused, and never half believed. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "store/claim.h"
#include "store/lease.h"
#include "store/stream.h"
#include "store/wanted.h"
#include "support/canned.h"

static struct canned server;
static struct store *store;
static struct redis_conn *conn;

/* A connection whose PING is answered, with `text` behind the answer. */
static void open_to(const char *text)
{
    static char all[1024];
    ck_assert_int_lt(snprintf(all, sizeof all, "+PONG\r\n%s", text), (int)sizeof all);
    ck_assert_int_eq(canned_start(&server, slice_of(all)), 0);
    struct redis_options o = {
        .path = server.socket, .connect_timeout_ms = 10000, .socket_timeout_ms = 10000};
    struct err err = {""};
    ck_assert_msg(redis_conn_open(&o, &conn, &err) == 0, "%s", err.text);
    ck_assert_int_eq(store_new("", "host:1:0123456789ab", &store), 0);
}

static void close_all(void)
{
    redis_conn_free(conn);
    store_free(store);
    canned_stop(&server);
}

#define JOB "$2\r\n{}\r\n"

/* To a claim of two jobs at most from two queues. */
static const struct {
    const char *text;
    int code;
} claims[] = {
    {"*5\r\n:2\r\n*0\r\n*0\r\n" JOB JOB, 0},
    {"*3\r\n:0\r\n*2\r\n$1\r\nq\r\n:9\r\n*1\r\n:2\r\n", 0},
    {"*3\r\n:-1\r\n*0\r\n*0\r\n", 0},
    {"*0\r\n", -EPROTO},
    {"+OK\r\n", -EPROTO},
    {"*3\r\n$-1\r\n*0\r\n*0\r\n", -EPROTO},            /* which queue? */
    {"*4\r\n:3\r\n*0\r\n*0\r\n" JOB, -EPROTO},         /* a queue that was not asked for */
    {"*3\r\n:1\r\n*0\r\n*0\r\n", -EPROTO},             /* a claim without a job */
    {"*4\r\n:0\r\n*0\r\n*0\r\n" JOB, -EPROTO},         /* a job from no queue */
    {"*4\r\n:1\r\n*0\r\n*0\r\n$-1\r\n", -EPROTO},      /* a job that is nil */
    {"*6\r\n:1\r\n*0\r\n*0\r\n" JOB JOB JOB, -EPROTO}, /* more than were asked for */
    {"*3\r\n:0\r\n*0\r\n*1\r\n:3\r\n", -EPROTO},       /* a wrong queue beyond the last */
    {"*3\r\n:0\r\n*0\r\n*1\r\n:0\r\n", -EPROTO},
    {"*3\r\n:0\r\n*0\r\n*1\r\n:-4294967295\r\n", -EPROTO}, /* 1 in 32 bits */
    {"-READONLY You can't write\r\n", -EROFS},
};

START_TEST(claim)
{
    static const char *const queues[] = {"a", "b"};
    struct claim_request r = {.seq = 1, .want = 2, .max_bytes = 1, .queues = queues, .nqueues = 2};
    struct claimed got = {0};
    struct err err = {""};
    open_to(claims[_i].text);
    ck_assert_int_eq(store_claim(store, conn, &r, NULL, NULL, NULL, &got, &err), claims[_i].code);
    ck_assert_int_eq(got.reply != NULL, claims[_i].code == 0);
    ck_assert_int_eq(err.text[0] == '\0', claims[_i].code == 0);
    /* A server that is no master is left; what is odd is not the connection's fault. */
    ck_assert(redis_conn_broken(conn) == (claims[_i].code == -EROFS));
    reply_free(got.reply);
    close_all();
}
END_TEST

static const struct {
    const char *text;
    int code;
} settles[] = {
    {"*2\r\n:1\r\n:-1\r\n", 0},        {"*1\r\n:1\r\n", -EPROTO},
    {"*2\r\n:1\r\n$-1\r\n", -EPROTO},  /* not: lost */
    {"*2\r\n:1\r\n:256\r\n", -EPROTO}, /* 0 in 8 bits */
    {"*2\r\n:1\r\n:-3\r\n", -EPROTO},  {"-OOM x\r\n", -ENOSPC},
};

START_TEST(settle)
{
    struct settle_batch batch = {0};
    int8_t results[2];
    struct err err = {""};
    open_to(settles[_i].text);
    settle_begin(&batch, store, NULL, 1795478712.5);
    settle_ack(&batch, 1, 0);
    settle_ack(&batch, 1, 1);
    ck_assert_int_eq(store_settle(conn, &batch, results, &err), settles[_i].code);
    if (settles[_i].code == 0) {
        ck_assert_int_eq(results[0], SETTLE_WRITTEN);
        ck_assert_int_eq(results[1], SETTLE_WRONGTYPE);
    }
    settle_release(&batch);
    close_all();
}
END_TEST

START_TEST(renewal)
{
    struct lease_state state = {.now = -1};
    struct err err = {""};
    open_to("*4\r\n:1\r\n:3\r\n$10\r\n1795478712\r\n$6\r\n500000\r\n"
            "*0\r\n" /* not: the lease had lapsed */
            "*4\r\n$-1\r\n:3\r\n:1\r\n:1\r\n"
            "*4\r\n:1\r\n:3\r\n$1\r\nx\r\n:1\r\n");
    ck_assert_int_eq(store_lease_renew(store, conn, 1000, &state, &err), 0);
    ck_assert(state.was_alive && state.claims == 3 && state.now == 1795478712.5);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(store_lease_renew(store, conn, 1000, &state, &err), -EPROTO);
        ck_assert_ptr_nonnull(strstr(err.text, "renew"));
        ck_assert(state.now == 1795478712.5);
    }
    close_all();
}
END_TEST

START_TEST(extension)
{
    bool alive = false;
    struct err err = {""};
    open_to(":1\r\n:0\r\n+OK\r\n");
    ck_assert_int_eq(store_lease_extend(store, conn, 1000, &alive, &err), 0);
    ck_assert(alive);
    ck_assert_int_eq(store_lease_extend(store, conn, 1000, &alive, &err), 0);
    ck_assert(!alive);
    alive = true;
    ck_assert_int_eq(store_lease_extend(store, conn, 1000, &alive, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.text, "PEXPIRE"));
    ck_assert(alive); /* untouched */
    close_all();
}
END_TEST

START_TEST(recovery)
{
    struct recovered got = {0};
    struct err err = {""};
    open_to("*4\r\n:1\r\n:5\r\n*0\r\n*0\r\n"
            "*4\r\n:3\r\n:5\r\n*0\r\n*0\r\n"
            "*0\r\n"); /* not: done */
    ck_assert_int_eq(store_recover(store, conn, "dead", 0, 1 << 20, &got, &err), 0);
    ck_assert_int_eq(got.state, RECOVER_MORE);
    reply_free(got.reply);
    ck_assert_int_eq(store_recover(store, conn, "dead", 0, 1 << 20, &got, &err), -EPROTO);
    ck_assert_int_eq(store_recover(store, conn, "dead", 0, 1 << 20, &got, &err), -EPROTO);
    close_all();
}
END_TEST

START_TEST(stream_and_time)
{
    struct stream_target target = {.jid = "j", .seq = 1, .ttl_s = 1, .max_events = 10};
    int64_t length = -9;
    double now = -1;
    struct err err = {""};
    open_to(":0\r\n$-1\r\n:-4\r\n*2\r\n:5\r\n:500000\r\n*1\r\n:5\r\n");
    ck_assert_int_eq(store_stream_append(store, conn, &target, NULL, 0, -1, &length, &err), 0);
    ck_assert_int_eq(length, 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(store_stream_append(store, conn, &target, NULL, 0, -1, &length, &err),
                         -EPROTO);
    ck_assert_int_eq(store_time(conn, &now, &err), 0);
    ck_assert(now == 5.5);
    ck_assert_int_eq(store_time(conn, &now, &err), -EPROTO);
    ck_assert(now == 5.5);
    close_all();
}
END_TEST

#define COUNT(table) ((int)(sizeof table / sizeof table[0]))

static const struct {
    const char *text;
    int code;
} orders[] = {
    {"*3\r\n$1\r\n7\r\n:1\r\n$1\r\nw\r\n", 0},
    {"*2\r\n$1\r\n7\r\n:0\r\n", 0},
    {"*1\r\n:0\r\n", -ENOENT},
    {"*0\r\n", -EPROTO},
    {"+OK\r\n", -EPROTO},
    {"*1\r\n$1\r\n7\r\n", -EPROTO}, /* who heard it? */
    {"*2\r\n:-1\r\n:0\r\n", -EPROTO},
    {"*2\r\n$1\r\nx\r\n:0\r\n", -EPROTO},
};

START_TEST(order)
{
    struct given given = {0};
    struct err err = {""};
    open_to(orders[_i].text);
    ck_assert_int_eq(
        store_order_give(store, conn, NULL, &(struct order){.cmd = ORDER_QUIET}, &given, &err),
        orders[_i].code);
    ck_assert_int_eq(given.reply != NULL, orders[_i].code == 0);
    ck_assert_int_eq(err.text[0] == '\0', orders[_i].code == 0);
    reply_free(given.reply);
    close_all();
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("store/replies");
    TCase *t = tcase_create("replies");
    tcase_add_loop_test(t, claim, 0, COUNT(claims));
    tcase_add_loop_test(t, settle, 0, COUNT(settles));
    tcase_add_loop_test(t, order, 0, COUNT(orders));
    tcase_add_test(t, renewal);
    tcase_add_test(t, extension);
    tcase_add_test(t, recovery);
    tcase_add_test(t, stream_and_time);
    suite_add_tcase(s, t);
    return s;
}
