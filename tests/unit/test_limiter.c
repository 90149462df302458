/* The limiter: never more than it allows, first come first served, and a wait that can be ended. */
#include <stdatomic.h>
#include <unistd.h>

#include "handlers/limiter.h"
#include "unit/fake_run.h"

enum { FOREVER_MS = 30000, THREADS = 24, ROUNDS = 300, PLACES = 3 };

static struct limiter limiter;
static atomic_int inside, most, order;

static void *crowd(void *arg)
{
    struct run *run = arg;
    for (int i = 0; i < ROUNDS; i++) {
        ck_assert_int_eq(limiter_enter(&limiter, run, &fake_ops, NULL, NULL), 0);
        int now = atomic_fetch_add(&inside, 1) + 1;
        int seen = atomic_load(&most);
        while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
            continue;
        while (i == 0 && atomic_load(&most) < PLACES) /* until all places are taken at once */
            (void)usleep(100);
        if (i % 16 == 0)
            (void)usleep(100);
        atomic_fetch_sub(&inside, 1);
        limiter_leave(&limiter);
    }
    return NULL;
}

START_TEST(no_more_than_allowed_at_once)
{
    struct thread threads[THREADS];
    struct run run;
    fake_run_init(&run);
    limiter_init(&limiter, PLACES);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "crowd", crowd, &run), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    ck_assert_int_eq(atomic_load(&most), PLACES);
    for (int i = 0; i < PLACES; i++)
        ck_assert(limiter_try(&limiter));
    ck_assert(!limiter_try(&limiter));
    limiter_release(&limiter);
    fake_run_release(&run);
}
END_TEST

/* ---- one who waits ---- */

struct guest {
    struct thread thread;
    struct run run;
    atomic_bool tired; /* its give_up */
    atomic_int rc;     /* 1: still waiting */
    int place;         /* in the order of admission */
};

static bool is_tired(void *arg)
{
    return atomic_load(&((struct guest *)arg)->tired);
}

static void *wait_in_line(void *arg)
{
    struct guest *g = arg;
    int rc = limiter_enter(&limiter, &g->run, &fake_ops, is_tired, g);
    g->place = atomic_fetch_add(&order, 1);
    atomic_store(&g->rc, rc);
    return NULL;
}

static bool somebody_waits(void)
{
    mutex_lock(&limiter.mutex);
    bool waits = limiter.first != NULL;
    mutex_unlock(&limiter.mutex);
    return waits;
}

static struct limiter_waiter **last_link(void)
{
    mutex_lock(&limiter.mutex);
    struct limiter_waiter **last = limiter.last;
    mutex_unlock(&limiter.mutex);
    return last;
}

static void come(struct guest *g)
{
    fake_run_init(&g->run);
    atomic_init(&g->tired, false);
    atomic_init(&g->rc, 1);
    struct limiter_waiter **last = last_link();
    ck_assert_int_eq(thread_start(&g->thread, "guest", wait_in_line, g), 0);
    wait_until(FOREVER_MS, last_link() != last);
}

static int leave(struct guest *g)
{
    thread_join(&g->thread);
    fake_run_release(&g->run);
    return atomic_load(&g->rc);
}

static const enum run_stop stops[] = {RUN_CANCELLED, RUN_SHUTDOWN, RUN_LOST};

START_TEST(a_wait_ends_when_the_run_should)
{
    struct guest g, after;
    limiter_init(&limiter, 0);
    come(&g);
    come(&after);
    fake_run_stop(&g.run, stops[_i]);
    ck_assert_int_eq(leave(&g), -ECANCELED);
    ck_assert_int_eq(atomic_load(&after.rc), 1);
    limiter_leave(&limiter); /* goes to who still waits */
    ck_assert_int_eq(leave(&after), 0);
    ck_assert(!somebody_waits());
    ck_assert(!limiter_try(&limiter));
    limiter_release(&limiter);
}
END_TEST

START_TEST(the_last_in_line_may_leave)
{
    struct guest first, last, next;
    limiter_init(&limiter, 0);
    come(&first);
    come(&last);
    atomic_store(&last.tired, true);
    ck_assert_int_eq(leave(&last), -ETIMEDOUT);
    come(&next);
    limiter_leave(&limiter);
    limiter_leave(&limiter);
    ck_assert_int_eq(leave(&first), 0);
    ck_assert_int_eq(leave(&next), 0);
    limiter_release(&limiter);
}
END_TEST

START_TEST(the_time_in_line_does_not_count)
{
    struct guest g;
    limiter_init(&limiter, 0);
    come(&g);
    fake_run_stop(&g.run, RUN_TIMEOUT); /* what ops->stop() says when the time is over */
    (void)usleep(250000);               /* it has looked */
    ck_assert_int_eq(atomic_load(&g.rc), 1);
    limiter_leave(&limiter);
    thread_join(&g.thread);
    ck_assert_int_eq(atomic_load(&g.rc), 0);
    ck_assert_int_eq(atomic_load(&g.run.begins), 1);
    fake_run_release(&g.run);
    limiter_release(&limiter);
}
END_TEST

START_TEST(first_come_first_served)
{
    struct guest guests[5];
    limiter_init(&limiter, 0);
    for (int i = 0; i < 5; i++)
        come(&guests[i]);
    for (int i = 0; i < 5; i++) {
        limiter_leave(&limiter);
        wait_until(FOREVER_MS, atomic_load(&order) == i + 1);
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(leave(&guests[i]), 0);
        ck_assert_int_eq(guests[i].place, i);
    }
    limiter_release(&limiter);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("limiter");
    TCase *tc = tcase_create("limiter");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, no_more_than_allowed_at_once);
    tcase_add_loop_test(tc, a_wait_ends_when_the_run_should, 0, 3);
    tcase_add_test(tc, the_last_in_line_may_leave);
    tcase_add_test(tc, the_time_in_line_does_not_count);
    tcase_add_test(tc, first_come_first_served);
    suite_add_tcase(s, tc);
    return s;
}
