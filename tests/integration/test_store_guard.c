/* Enqueueing under a guard (store/job_batch.h), alone and in a pipeline. */
#include <stdlib.h>

#include "store/job_batch.h"
#include "support/redis_fixture.h"

static struct redis_server server;
static struct redis_conn *redis;
static struct store *store;

static void set_up(void)
{
    must_start(&server, NULL);
    struct redis_options to = server_options(&server);
    redis = must_open(&to);
    ck_assert_int_eq(store_new("p:", NULL, &store), 0);
}

static void tear_down(void)
{
    store_free(store);
    redis_conn_free(redis);
    redis_server_free(&server);
}

/* A job of its own for each. */
struct sent {
    struct job_batch batch;
    struct enqueue enqueue;
};

static void prepare(struct sent *s, const char *queue, int64_t floor, int64_t number)
{
    *s = (struct sent){.batch = {.now = 1}};
    ck_assert_int_eq(job_batch_put(&s->batch, queue, "", 0, slice_of("{}")), 0);
    s->enqueue = (struct enqueue){.batch = &s->batch,
                                  .guard = {.name = "me", .floor = floor, .number = number}};
}

static void finish(struct sent *s)
{
    reply_free(s->enqueue.was);
    job_batch_release(&s->batch);
}

/* What the guard is at when it has forbidden it; 0: it was enqueued. */
static int64_t send_one(int64_t floor, int64_t number)
{
    struct sent s;
    struct enqueue *all[] = {&s.enqueue};
    prepare(&s, "q", floor, number);
    store_enqueue_all(store, redis, all, 1);
    ck_assert_msg(s.enqueue.rc == 0, "%s", s.enqueue.err.text);
    ck_assert_ptr_null(s.enqueue.was);
    finish(&s);
    return s.enqueue.stopped ? s.enqueue.reached : 0;
}

START_TEST(a_number_is_enqueued_once)
{
    ck_assert_int_eq(send_one(0, 5), 0);
    ck_assert_int_eq(send_one(0, 5), 5);
    ck_assert_int_eq(send_one(0, 4), 5);
    ck_assert_int_eq(send_one(6, 8), 5); /* the one before it is not there */
    ck_assert_int_eq(send_one(5, 8), 0);
    ck_assert_int_eq(must_int(redis, "LLEN p:queue:q"), 2);
    int64_t ttl = must_int(redis, "TTL p:sluice:sent:me");
    ck_assert(ttl > STORE_GUARD_SECONDS - 60 && ttl <= STORE_GUARD_SECONDS);
    must_do(redis, "FLUSHALL"); /* who has lost all begins anew */
    ck_assert_int_eq(send_one(0, 6), 0);
}
END_TEST

/* As large as a place in a spool can be. */
START_TEST(large_numbers_are_told_apart)
{
    const int64_t large = (INT64_C(1) << 52) + 1;
    ck_assert_int_eq(send_one(0, large), 0);
    ck_assert_int_eq(send_one(large, large), large);
    ck_assert_int_eq(send_one(large, large + 1), 0);
    ck_assert_int_eq(send_one(0, large), large + 1);
}
END_TEST

/* In a pipeline, what comes behind one that was not enqueued is not either. */
START_TEST(nothing_overtakes)
{
    struct sent s[4];
    struct enqueue *all[4];
    must_do(redis, "SET p:queue:text x");
    for (int i = 0; i < 4; i++) {
        prepare(&s[i], i == 1 ? "text" : "q", i == 0 ? 0 : 10 + i - 1, 10 + i);
        all[i] = &s[i].enqueue;
    }
    store_enqueue_all(store, redis, all, 4);
    ck_assert(s[0].enqueue.rc == 0 && !s[0].enqueue.stopped);
    ck_assert_int_eq(s[1].enqueue.rc, -EMEDIUMTYPE);
    for (int i = 2; i < 4; i++) {
        ck_assert_int_eq(s[i].enqueue.rc, 0);
        ck_assert(s[i].enqueue.stopped);
        ck_assert_int_eq(s[i].enqueue.reached, 10);
    }
    ck_assert_int_eq(must_int(redis, "LLEN p:queue:q"), 1);
    for (int i = 0; i < 4; i++)
        finish(&s[i]);
}
END_TEST

/* What a key forbids counts as sent, or the next would wait for it. */
START_TEST(a_key_and_a_guard)
{
    struct sent s;
    struct enqueue *all[] = {&s.enqueue};
    struct err err = {""};
    struct reply *before = NULL;
    for (int number = 1; number <= 2; number++) {
        prepare(&s, "q", number - 1, number);
        s.enqueue.key = "key";
        s.enqueue.record = slice_of("record");
        store_enqueue_all(store, redis, all, 1);
        ck_assert(s.enqueue.rc == 0 && !s.enqueue.stopped);
        ck_assert_int_eq(s.enqueue.was != NULL, number == 2);
        finish(&s);
    }
    ck_assert_int_eq(send_one(2, 3), 0);
    ck_assert_int_eq(must_int(redis, "LLEN p:queue:q"), 2);
    ck_assert_int_eq(store_enqueued_before(store, redis, "key", &before, &err), 0);
    ck_assert(slice_is(reply_str(before), "record"));
    reply_free(before);
    before = NULL;
    ck_assert_int_eq(store_enqueued_before(store, redis, "no key", &before, &err), 0);
    ck_assert_ptr_null(before);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("guards");
    TCase *tc = tcase_create("guards");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_number_is_enqueued_once);
    tcase_add_test(tc, large_numbers_are_told_apart);
    tcase_add_test(tc, nothing_overtakes);
    tcase_add_test(tc, a_key_and_a_guard);
    suite_add_tcase(suite, tc);
    return suite;
}
