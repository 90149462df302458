/* Several batches of jobs in one write: each has a fate of its own, also when the connection breaks
 * in the middle of the replies. */
#include <stdio.h>
#include <string.h>

#include "store/job_batch.h"
#include "support/redis_fixture.h"

enum { ORDERS = 5, WRONG = 1, ONCE = 2, AGAIN = 3 };

static struct redis_server server;
static struct redis_conn *conn;
static struct store *store;

static void set_up(void)
{
    must_start(&server, NULL);
    struct redis_options o = server_options(&server);
    conn = must_open(&o);
    ck_assert_int_eq(store_new("", NULL, &store), 0);
}

static void tear_down(void)
{
    store_free(store);
    redis_conn_free(conn);
    redis_server_free(&server);
}

struct orders {
    struct job_batch batch[ORDERS];
    struct enqueue enqueue[ORDERS];
    struct enqueue *all[ORDERS];
};

/* A job for a key that is no list, and two under one idempotency key, among others. */
static void begin(struct orders *o)
{
    must_do(conn, "FLUSHALL");
    must_do(conn, "SET queue:wrong text");
    for (int i = 0; i < ORDERS; i++) {
        char job[96];
        const char *field;
        (void)snprintf(job, sizeof job, "{\"class\":\"x\",\"args\":[%d],\"queue\":\"%s\"}", i,
                       i == WRONG ? "wrong" : "q");
        o->batch[i] = (struct job_batch){.now = 1, .max_payload = 1000};
        ck_assert_int_eq(job_batch_add(&o->batch[i], slice_of(job), &field, NULL), 0);
        o->enqueue[i] = (struct enqueue){.batch = &o->batch[i]};
        if (i == ONCE || i == AGAIN) {
            o->enqueue[i].key = "k";
            o->enqueue[i].record = slice_of(i == ONCE ? "once" : "again");
        }
        o->all[i] = &o->enqueue[i];
    }
}

static void end(struct orders *o)
{
    for (int i = 0; i < ORDERS; i++) {
        reply_free(o->enqueue[i].was);
        job_batch_release(&o->batch[i]);
    }
}

static int times_pushed(int order)
{
    char args[32];
    int n = 0;
    (void)snprintf(args, sizeof args, "\"args\":[%d]", order);
    struct reply *jobs = must_call(conn, "LRANGE queue:q 0 -1");
    for (size_t i = 0; i < reply_count(jobs); i++) {
        struct slice job = reply_str(reply_at(jobs, i));
        n += memmem(job.p, job.n, args, strlen(args)) != NULL;
    }
    reply_free(jobs);
    return n;
}

static void must_be_done(const struct orders *o)
{
    static const int codes[ORDERS] = {[WRONG] = -EMEDIUMTYPE};
    for (int i = 0; i < ORDERS; i++) {
        const struct enqueue *e = &o->enqueue[i];
        ck_assert_msg(e->rc == codes[i], "%d: %s", i, e->err.text);
        ck_assert_int_eq(times_pushed(i), i != WRONG && i != AGAIN);
        ck_assert_int_eq(e->was != NULL, i == AGAIN);
    }
    ck_assert(slice_is(reply_str(o->enqueue[AGAIN].was), "once"));
    ck_assert_ptr_nonnull(strstr(o->enqueue[WRONG].err.text, "queue:wrong is no list"));
}

START_TEST(each_is_its_own)
{
    struct orders o;
    for (int i = 0; i < 2; i++) { /* the script is not known, and known */
        begin(&o);
        store_enqueue_all(store, conn, o.all, ORDERS);
        must_be_done(&o);
        end(&o);
    }
}
END_TEST

/* What has an answer has happened, and what never ran has not; the rest is not known. */
static void must_be_true(const struct orders *o)
{
    for (int i = 0; i < ORDERS; i++) {
        const struct enqueue *e = &o->enqueue[i];
        if (e->rc == 0)
            ck_assert_int_eq(times_pushed(e->was ? ONCE : i), 1);
        else if (e->rc == -EAGAIN)
            ck_assert_int_eq(times_pushed(i), 0);
        else if (e->rc != -ENOTCONN)
            ck_assert_msg(i == WRONG && e->rc == -EMEDIUMTYPE, "%d: %s", i, e->err.text);
    }
}

/* Asked again under its key, a job is there once, whatever came of it before. */
static void ask_again(struct orders *o)
{
    struct reply *was = NULL;
    struct err err = {""};
    int rc = store_enqueue(store, conn, &o->batch[ONCE], "k", slice_of("once"), &was, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_int_eq(times_pushed(ONCE) + times_pushed(AGAIN), 1);
    reply_free(was);
}

/* Returns false when the replies were shorter. */
static bool cut_after(struct proxy *proxy, int64_t bytes, bool known)
{
    struct orders o;
    struct redis_options to = proxy_options(proxy);
    uint64_t cuts = proxy_stats(proxy).cuts;
    begin(&o);
    if (!known)
        must_do(conn, "SCRIPT FLUSH SYNC");
    struct redis_conn *c = must_open(&to);
    proxy_cut(proxy, PROXY_REPLIES, bytes);
    store_enqueue_all(store, c, o.all, ORDERS);
    bool cut = proxy_stats(proxy).cuts > cuts;
    proxy_cut(proxy, PROXY_REPLIES, -1);
    redis_conn_free(c);
    if (cut) {
        wait_until(20000, must_int(conn, "EXISTS queue:q") == 1 || !known); /* all was sent */
        must_be_true(&o);
        ask_again(&o);
    } else {
        must_be_done(&o);
    }
    end(&o);
    return cut;
}

START_TEST(cut_at_every_byte)
{
    struct proxy proxy;
    int64_t at[2] = {0};
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    for (int known = 0; known < 2; known++)
        while (cut_after(&proxy, at[known], known))
            at[known] += SLOW;
    ck_assert_int_gt(at[1], 4 * (ORDERS - 1)); /* ":1\r\n", and the error is longer */
    ck_assert_int_gt(at[0], at[1]);
    proxy_stop(&proxy);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("store/enqueue");
    TCase *t = tcase_create("together");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, each_is_its_own);
    tcase_add_test(t, cut_at_every_byte);
    suite_add_tcase(s, t);
    return s;
}
