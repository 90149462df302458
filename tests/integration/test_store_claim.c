/* What one claim takes: of many queues the first that has jobs, and of large jobs no more than fit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/claim.h"
#include "store/lease.h"
#include "support/redis_fixture.h"

enum { QUEUES = 300, MB = 1 << 20, CAP = 8 * MB };

static struct redis_server server;
static struct redis_conn *conn;
static struct store *store;
static char names[QUEUES][8];
static const char *queues[QUEUES];
static uint64_t seq;

static void set_up(void)
{
    struct lease_state lease;
    must_start(&server, NULL);
    struct redis_options o = server_options(&server);
    conn = must_open(&o);
    ck_assert_int_eq(store_new("some:", "host:1:0", &store), 0);
    ck_assert_int_eq(store_lease_renew(store, conn, 600000, &lease, NULL), 0);
    for (int i = 0; i < QUEUES; i++) {
        (void)snprintf(names[i], sizeof names[i], "q%d", i);
        queues[i] = names[i];
    }
}

static void tear_down(void)
{
    store_free(store);
    redis_conn_free(conn);
    redis_server_free(&server);
}

static struct claimed claim(int nqueues, unsigned want)
{
    struct claim_request r = {.seq = ++seq,
                              .want = want,
                              .max_bytes = 4 * MB,
                              .max_payload = CAP,
                              .queues = queues,
                              .nqueues = nqueues};
    struct claimed claimed;
    int settled;
    ck_assert_int_eq(store_claim(store, conn, &r, NULL, &settled, NULL, &claimed, NULL), 0);
    return claimed;
}

/* size bytes that begin with a mark; the first that is pushed is the first to run. */
static void push_large(const char *queue, char mark, size_t size)
{
    char *job = malloc(size);
    ck_assert_ptr_nonnull(job);
    memset(job, mark, size);
    must_do(conn, "LPUSH some:queue:%s %b", queue, job, size);
    free(job);
}

static void note_wrong(void *ctx, int queue)
{
    *(int *)ctx = *(int *)ctx * 1000 + queue;
}

START_TEST(finds_the_one_queue_that_has_jobs)
{
    static const int counts[] = {1, 2, 4, 5, 9, 13, 30, 100, QUEUES};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int filled = 0; filled < counts[c]; filled += 1 + counts[c] / 40) {
            must_do(conn, "LPUSH some:queue:q%d job", filled);
            struct claimed claimed = claim(counts[c], 10);
            ck_assert_msg(claimed.queue == filled, "of %d queues %d was found, not %d", counts[c],
                          claimed.queue, filled);
            ck_assert_uint_eq(claimed.n, 1);
            reply_free(claimed.reply);
        }
    struct claimed claimed = claim(QUEUES, 10);
    ck_assert_int_eq(claimed.queue, -1);
    reply_free(claimed.reply);
}
END_TEST

START_TEST(keeps_the_order_of_the_queues)
{
    for (int i = 0; i < QUEUES; i += 7)
        must_do(conn, "LPUSH some:queue:q%d job", i);
    must_do(conn, "SADD some:paused q14");
    for (int i = 0; i < QUEUES; i += 7) {
        if (i == 14)
            continue;
        struct claimed claimed = claim(QUEUES, 10);
        ck_assert_int_eq(claimed.queue, i);
        reply_free(claimed.reply);
    }
}
END_TEST

START_TEST(names_wrong_queues_among_empty_ones)
{
    int wrong = 0;
    must_do(conn, "SET some:queue:q20 text");
    must_do(conn, "SET some:queue:q21 text");
    must_do(conn, "LPUSH some:queue:q50 job");
    struct claimed claimed = claim(100, 10);
    ck_assert_int_eq(claimed.queue, 50);
    claimed_wrong_queues(&claimed, note_wrong, &wrong);
    ck_assert_int_eq(wrong, 20021);
    reply_free(claimed.reply);
}
END_TEST

START_TEST(takes_as_many_large_jobs_as_fit)
{
    for (int i = 0; i < 10; i++)
        push_large("q0", (char)('a' + i), MB);
    struct claimed claimed = claim(1, 100);
    ck_assert_uint_eq(claimed.n, 4);
    ck_assert_int_eq(claimed_payload(&claimed, 3).p[0], 'a'); /* the next to run comes last */
    ck_assert_int_eq(claimed_payload(&claimed, 0).p[0], 'd');
    reply_free(claimed.reply);
    must_do(conn, "RPUSH some:queue:q0 small");
    claimed = claim(1, 100); /* what a small job makes hope for is cut where it does not fit */
    ck_assert_uint_eq(claimed.n, 4);
    ck_assert_uint_eq(claimed_payload(&claimed, 3).n, 5);
    ck_assert_int_eq(claimed_payload(&claimed, 0).p[0], 'g');
    reply_free(claimed.reply);
    push_large("q1", 'x', 5 * MB);
    push_large("q1", 'y', 1);
    must_do(conn, "DEL some:queue:q0");
    claimed = claim(2, 100); /* one job at least */
    ck_assert_int_eq(claimed.queue, 1);
    ck_assert_uint_eq(claimed.n, 1);
    reply_free(claimed.reply);
}
END_TEST

START_TEST(takes_those_behind_a_job_that_is_too_large)
{
    push_large("q0", 'x', CAP + 1);
    for (int i = 0; i < 10; i++)
        must_do(conn, "LPUSH some:queue:q0 job");
    must_do(conn, "LPUSH some:queue:q1 job");
    struct claimed claimed = claim(2, 100);
    ck_assert_int_eq(claimed.queue, 0);
    ck_assert_uint_eq(claimed.n, 10);
    ck_assert_uint_eq(unread_count(claimed.unread), 1);
    reply_free(claimed.reply);
    ck_assert_int_eq(must_int(conn, "ZCARD some:dead"), 1);
}
END_TEST

START_TEST(takes_elements_without_a_byte)
{
    must_do(conn, "LPUSH some:queue:q0 %b %b", "", (size_t)0, "", (size_t)0);
    struct claimed claimed = claim(1, 100);
    ck_assert_uint_eq(claimed.n, 2);
    reply_free(claimed.reply);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("store/claim");
    TCase *tc = tcase_create("claim");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, finds_the_one_queue_that_has_jobs);
    tcase_add_test(tc, keeps_the_order_of_the_queues);
    tcase_add_test(tc, names_wrong_queues_among_empty_ones);
    tcase_add_test(tc, takes_as_many_large_jobs_as_fit);
    tcase_add_test(tc, takes_those_behind_a_job_that_is_too_large);
    tcase_add_test(tc, takes_elements_without_a_byte);
    suite_add_tcase(s, tc);
    return s;
}
