/* Threads, conditions with deadlines, and the clock behind them. */
#include "base/thread.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "support/support.h"

struct seen {
    char name[16];
    bool term_blocked, user_blocked;
};

static void *look(void *arg)
{
    struct seen *seen = arg;
    sigset_t set;
    if (pthread_getname_np(pthread_self(), seen->name, sizeof seen->name) != 0 ||
        pthread_sigmask(SIG_BLOCK, NULL, &set) != 0)
        return NULL;
    seen->term_blocked = sigismember(&set, SIGTERM);
    seen->user_blocked = sigismember(&set, SIGUSR1);
    return arg;
}

START_TEST(a_thread_has_a_name_and_no_signals)
{
    struct thread t;
    struct seen seen = {0};
    sigset_t before, after;
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
    ck_assert_int_eq(thread_start(&t, "a name longer than ps shows", look, &seen), 0);
    thread_join(&t);
    ck_assert_str_eq(seen.name, "a name longer t");
    ck_assert(seen.term_blocked && seen.user_blocked);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
    ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
    thread_join(&t); /* harmless once joined */
}
END_TEST

START_TEST(a_thread_that_never_started_joins)
{
    struct thread t = {0};
    thread_join(&t);
}
END_TEST

struct gate {
    struct mutex mutex; /* guards: open, waiting */
    struct cond cond;
    bool open;
    int waiting;
    int64_t deadline_ns;
};

static void gate_init(struct gate *g, int64_t deadline_ns)
{
    *g = (struct gate){.deadline_ns = deadline_ns};
    mutex_init(&g->mutex);
    cond_init(&g->cond);
}

static void gate_release(struct gate *g)
{
    cond_release(&g->cond);
    mutex_release(&g->mutex);
}

/* Returns the gate when it opened, NULL when the deadline came first. */
static void *wait_at(void *arg)
{
    struct gate *g = arg;
    bool in_time = true;
    mutex_lock(&g->mutex);
    g->waiting++;
    while (!g->open && in_time)
        in_time = cond_wait_until(&g->cond, &g->mutex, g->deadline_ns);
    bool open = g->open;
    g->waiting--;
    mutex_unlock(&g->mutex);
    return open ? g : NULL;
}

static int waiting_at(struct gate *g)
{
    mutex_lock(&g->mutex);
    int n = g->waiting;
    mutex_unlock(&g->mutex);
    return n;
}

START_TEST(a_deadline_ends_the_wait)
{
    struct gate g;
    int64_t past[] = {INT64_MIN, -1, 0, clock_now_ns()};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        gate_init(&g, past[i]);
        ck_assert_ptr_null(wait_at(&g));
        gate_release(&g);
    }
    gate_init(&g, clock_deadline_ms(5));
    ck_assert_ptr_null(wait_at(&g));
    ck_assert_int_ge(clock_now_ns(), g.deadline_ns); /* never early */
    gate_release(&g);
}
END_TEST

START_TEST(a_broadcast_wakes_all)
{
    enum { WAITERS = 6 };
    int64_t deadlines[] = {CLOCK_NEVER, clock_deadline_ms(1000000)};
    for (int d = 0; d < 2; d++) {
        struct gate g;
        struct thread threads[WAITERS];
        gate_init(&g, deadlines[d]);
        for (int i = 0; i < WAITERS; i++)
            ck_assert_int_eq(thread_start(&threads[i], "wait", wait_at, &g), 0);
        wait_until(10000, waiting_at(&g) == WAITERS);
        mutex_lock(&g.mutex);
        g.open = true;
        mutex_unlock(&g.mutex);
        cond_broadcast(&g.cond);
        for (int i = 0; i < WAITERS; i++)
            thread_join(&threads[i]);
        ck_assert_int_eq(waiting_at(&g), 0);
        gate_release(&g);
    }
}
END_TEST

START_TEST(a_signal_wakes_one)
{
    struct gate g;
    struct thread t;
    gate_init(&g, CLOCK_NEVER);
    ck_assert_int_eq(thread_start(&t, "wait", wait_at, &g), 0);
    wait_until(10000, waiting_at(&g) == 1);
    mutex_lock(&g.mutex);
    g.open = true;
    cond_signal(&g.cond);
    mutex_unlock(&g.mutex);
    thread_join(&t);
    gate_release(&g);
}
END_TEST

START_TEST(deadlines)
{
    ck_assert(clock_deadline_ms(-1) == CLOCK_NEVER);
    ck_assert(clock_deadline_ms(INT64_MIN) == CLOCK_NEVER);
    ck_assert(clock_deadline_ms(INT64_MAX) == CLOCK_NEVER);
    ck_assert(clock_deadline_ms(INT64_MAX / NS_PER_MS) == CLOCK_NEVER);
    int64_t before = clock_now_ns();
    int64_t deadline = clock_deadline_ms(1000);
    ck_assert(deadline - before >= NS_PER_S);
    ck_assert(deadline - clock_now_ns() <= NS_PER_S);

    ck_assert_int_eq(clock_poll_ms(CLOCK_NEVER), -1);
    ck_assert_int_eq(clock_poll_ms(0), 0);
    ck_assert_int_eq(clock_poll_ms(clock_now_ns()), 0);
    ck_assert_int_eq(clock_poll_ms(CLOCK_NEVER - 1), INT_MAX);
    ck_assert_int_gt(clock_poll_ms(clock_now_ns() + 3600 * NS_PER_S), 0);
}
END_TEST

START_TEST(timespecs)
{
    struct timespec ts = clock_timespec(3 * NS_PER_S + 7);
    ck_assert(ts.tv_sec == 3 && ts.tv_nsec == 7);
    ts = clock_timespec(-1); /* as good as the beginning of time, and valid */
    ck_assert(ts.tv_sec == 0 && ts.tv_nsec == 0);
    ck_assert(clock_wall_us() > INT64_C(1500000000) * 1000000);
    ck_assert(clock_coarse_ns() <= clock_now_ns());
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("thread");
    TCase *tc = tcase_create("thread");
    tcase_add_test(tc, a_thread_has_a_name_and_no_signals);
    tcase_add_test(tc, a_thread_that_never_started_joins);
    tcase_add_test(tc, a_deadline_ends_the_wait);
    tcase_add_test(tc, a_broadcast_wakes_all);
    tcase_add_test(tc, a_signal_wakes_one);
    suite_add_tcase(s, tc);

    tc = tcase_create("clock");
    tcase_add_test(tc, deadlines);
    tcase_add_test(tc, timespecs);
    suite_add_tcase(s, tc);
    return s;
}
