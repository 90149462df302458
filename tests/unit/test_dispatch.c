/* Who does what next: turns that are asked for one after another, by threads that do not exist. No
 * call here may sleep: nobody would wake it. */
#include "worker/dispatch.h"

#include "support/support.h"

enum { THREADS = 4, SHORT_NS = 100, LONG_NS = 10 * NS_PER_MS };

static struct dispatch dispatch;
static struct sleeper threads[THREADS];
static int notified;

static void count_notice(void *ctx)
{
    (void)ctx;
    notified++;
}

static void setup(void)
{
    notified = 0;
    dispatch_init(&dispatch, THREADS, count_notice, NULL);
    for (int i = 0; i < THREADS; i++) {
        sleeper_init(&threads[i], i);
        dispatch_count(&dispatch);
    }
    dispatch_open(&dispatch, true);
    notified = 0;
}

static struct claim *claims[8];
static int nclaims;

static void teardown(void)
{
    int64_t unused;
    (void)dispatch_surplus(&dispatch, true, &unused); /* freed with their claims */
    for (int i = 0; i < THREADS; i++)
        sleeper_release(&threads[i]);
    dispatch_release(&dispatch);
    while (nclaims > 0)
        claim_free(claims[--nclaims]);
}

static enum turn next(int thread, int64_t took_ns)
{
    struct job *job = NULL;
    unsigned want = 0;
    enum turn turn = dispatch_next(&dispatch, &threads[thread], took_ns, &job, &want);
    ck_assert(turn == TURN_JOB ? job != NULL : want > 0);
    return turn;
}

/* The claim of a thread that was told to make one comes back with n jobs. */
static void bring(int thread, unsigned n)
{
    struct claim *claim = claim_new(1, 0, "q", n, NULL);
    ck_assert_ptr_nonnull(claim);
    claims[nclaims++] = claim;
    dispatch_claimed(&dispatch, &threads[thread], claim, false);
}

/* Thread 0 has run one job of this length, and is at the next of n. */
static void busy(int64_t mean_ns, unsigned n)
{
    ck_assert_int_eq(next(0, 0), TURN_CLAIM);
    bring(0, 1);
    ck_assert_int_eq(next(0, 0), TURN_JOB);
    ck_assert_int_eq(next(0, mean_ns), TURN_CLAIM);
    bring(0, n);
    ck_assert_int_eq(notified, 0);
    ck_assert_int_eq(next(0, 0), TURN_JOB);
}

START_TEST(somebody_claims_while_short_jobs_run)
{
    busy(SHORT_NS, 50);
    ck_assert_int_eq(next(1, 0), TURN_CLAIM);
    ck_assert_int_eq(next(2, 0), TURN_JOB); /* one is enough */
}
END_TEST

START_TEST(long_jobs_that_are_ready_go_first)
{
    busy(LONG_NS, 50);
    for (int i = 1; i < THREADS; i++)
        ck_assert_int_eq(next(i, 0), TURN_JOB);
}
END_TEST

START_TEST(jobs_of_unknown_length_go_first)
{
    ck_assert_int_eq(next(0, 0), TURN_CLAIM);
    bring(0, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(next(i, 0), TURN_JOB);
}
END_TEST

/* They wait on the belief that it is short; the waker has to know. */
START_TEST(jobs_behind_a_short_one_are_watched)
{
    int64_t recheck_ns;
    busy(SHORT_NS, 3);
    ck_assert_int_eq(notified, 1);
    ck_assert_ptr_null(dispatch_surplus(&dispatch, false, &recheck_ns));
    ck_assert_int_ne(recheck_ns, CLOCK_NEVER);
    ck_assert_int_eq(next(0, SHORT_NS), TURN_JOB);
    ck_assert_int_eq(notified, 1); /* it looks again by itself */
}
END_TEST

START_TEST(nothing_is_watched_where_nothing_waits)
{
    int64_t recheck_ns;
    busy(SHORT_NS, 1);
    ck_assert_int_eq(notified, 0);
    ck_assert_ptr_null(dispatch_surplus(&dispatch, false, &recheck_ns));
    ck_assert_int_eq(recheck_ns, CLOCK_NEVER);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("dispatch");
    TCase *tc = tcase_create("dispatch");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, somebody_claims_while_short_jobs_run);
    tcase_add_test(tc, long_jobs_that_are_ready_go_first);
    tcase_add_test(tc, jobs_of_unknown_length_go_first);
    tcase_add_test(tc, jobs_behind_a_short_one_are_watched);
    tcase_add_test(tc, nothing_is_watched_where_nothing_waits);
    suite_add_tcase(s, tc);
    return s;
}
