/* The permit: never more than the limit in use, whoever comes, resizes or stops meanwhile. */
#include "base/permit.h"

#include "base/clock.h"
#include "base/random.h"
#include "support/support.h"

static const int64_t past; /* a deadline that is over: acquire without waiting */

static int value_of(struct permit *p)
{
    int value;
    ck_assert_int_eq(sem_getvalue(&p->sem, &value), 0);
    return value;
}

START_TEST(as_many_as_the_limit)
{
    struct permit p;
    permit_init(&p, 3);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(permit_acquire(&p, past), 0);
        ck_assert_int_eq(p.in_use, i);
    }
    ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);
    ck_assert_int_eq(permit_acquire(&p, -1), -ETIMEDOUT);
    ck_assert_int_eq(permit_acquire(&p, clock_deadline_ms(2)), -ETIMEDOUT);
    ck_assert_int_eq(p.in_use, 3);
    ck_assert_int_eq(p.waiting, 0);
    permit_give(&p);
    ck_assert_int_eq(permit_acquire(&p, CLOCK_NEVER), 0);
    for (int i = 0; i < 3; i++)
        permit_give(&p);
    ck_assert_int_eq(p.in_use, 0);
    ck_assert_int_eq(p.peak, 3);
    ck_assert_uint_eq(histogram_total(&p.wait), 4); /* those that got one */
    permit_release_all(&p);
}
END_TEST

START_TEST(peaks_of_intervals)
{
    struct permit p;
    permit_init(&p, 3);
    ck_assert_int_eq(permit_recent_peak(&p), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(permit_acquire(&p, past), 0);
    permit_give(&p);
    ck_assert_int_eq(permit_recent_peak(&p), 3);
    ck_assert_int_eq(permit_recent_peak(&p), 2); /* still in use */
    permit_give(&p);
    permit_give(&p);
    ck_assert_int_eq(permit_recent_peak(&p), 2);
    ck_assert_int_eq(permit_recent_peak(&p), 0);
    ck_assert_int_eq(p.peak, 3);
    permit_release_all(&p);
}
END_TEST

START_TEST(resize_while_in_use)
{
    struct permit p;
    permit_init(&p, 2);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), 0);

    permit_resize(&p, 4);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);

    permit_resize(&p, 1); /* three too many */
    ck_assert_int_eq(p.limit, 1);
    ck_assert_int_eq(p.in_use, 4);
    for (int i = 0; i < 3; i++) {
        permit_give(&p);
        ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);
    }
    ck_assert_int_eq(p.in_use, 1);
    permit_give(&p);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);

    permit_resize(&p, 3); /* debts are struck off before permits are made */
    permit_resize(&p, 1);
    permit_resize(&p, 2);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);
    permit_resize(&p, 2);
    permit_give(&p);
    permit_give(&p);
    ck_assert_int_eq(value_of(&p), 2);
    ck_assert_int_eq(p.debt, 0);
    permit_release_all(&p);
}
END_TEST

START_TEST(resize_takes_free_permits_at_once)
{
    struct permit p;
    permit_init(&p, 100);
    permit_resize(&p, 1);
    ck_assert_int_eq(p.debt, 0);
    ck_assert_int_eq(value_of(&p), 1);
    permit_resize(&p, 100);
    ck_assert_int_eq(value_of(&p), 100);
    permit_release_all(&p);
}
END_TEST

/* A release beside a resize may post without having seen the debt. Such a permit is not handed
 * on: whoever finds it pays the debt with it. */
START_TEST(a_left_over_permit_pays_the_debt)
{
    struct permit p;
    permit_init(&p, 2);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    atomic_store(&p.limit, 1);
    atomic_store(&p.debt, 1); /* one in use, one on the semaphore, one too many */
    ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);
    ck_assert_int_eq(p.debt, 0);
    ck_assert_int_eq(p.in_use, 1);
    permit_give(&p);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);
    permit_give(&p);
    permit_release_all(&p);
}
END_TEST

struct waiter {
    struct permit *permit;
    struct thread thread;
    int rc;
    int turn;
};

static void *acquire(void *arg)
{
    struct waiter *w = arg;
    w->rc = permit_acquire(w->permit, CLOCK_NEVER);
    return NULL;
}

static void *acquire_and_give(void *arg)
{
    struct waiter *w = arg;
    w->rc = permit_acquire(w->permit, CLOCK_NEVER);
    if (w->rc == 0)
        permit_give(w->permit);
    return NULL;
}

enum { WAITERS = 16 };

static void start_waiters(struct waiter *waiters, struct permit *p)
{
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){.permit = p, .rc = 1};
        ck_assert_int_eq(thread_start(&waiters[i].thread, "waiter", acquire_and_give, &waiters[i]),
                         0);
    }
    wait_until(10000, atomic_load(&p->waiting) == WAITERS);
}

static void join_waiters(struct waiter *waiters, int expected_rc)
{
    for (int i = 0; i < WAITERS; i++) {
        thread_join(&waiters[i].thread);
        ck_assert_int_eq(waiters[i].rc, expected_rc);
    }
}

START_TEST(stop_wakes_everybody)
{
    struct permit p;
    struct waiter waiters[WAITERS];
    permit_init(&p, 1);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_waiters(waiters, &p);
    permit_stop(&p);
    join_waiters(waiters, -ECANCELED);
    ck_assert_int_eq(p.in_use, 1); /* what is held stays valid */
    ck_assert_int_eq(p.waiting, 0);
    ck_assert_int_eq(permit_acquire(&p, CLOCK_NEVER), -ECANCELED);
    permit_give(&p);
    ck_assert_int_eq(permit_acquire(&p, past), -ECANCELED);
    permit_stop(&p); /* twice is once */
    ck_assert_int_eq(permit_acquire(&p, past), -ECANCELED);
    ck_assert_int_eq(p.in_use, 0);
    permit_release_all(&p);
}
END_TEST

START_TEST(stop_is_not_swallowed_by_a_resize)
{
    struct permit p;
    struct waiter waiters[WAITERS];
    permit_init(&p, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(permit_acquire(&p, past), 0);
    permit_resize(&p, 1); /* debts, which the wake-up must not pay */
    start_waiters(waiters, &p);
    permit_stop(&p);
    permit_resize(&p, 2);
    permit_resize(&p, 1);
    join_waiters(waiters, -ECANCELED);
    for (int i = 0; i < 3; i++)
        permit_give(&p);
    permit_release_all(&p);
}
END_TEST

START_TEST(give_and_resize_wake_waiters)
{
    struct permit p;
    struct waiter waiters[WAITERS];
    permit_init(&p, 1);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_waiters(waiters, &p);
    permit_give(&p); /* goes from hand to hand through all of them */
    join_waiters(waiters, 0);

    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_waiters(waiters, &p);
    permit_resize(&p, 3);
    join_waiters(waiters, 0);
    permit_give(&p);
    ck_assert_int_le(p.peak, 3);
    ck_assert_int_eq(value_of(&p), 3);
    permit_release_all(&p);
}
END_TEST

/* Whoever takes it again at once may have it, but not for ever. */
START_TEST(the_line_moves)
{
    enum { TURNS = 50 };
    struct permit p;
    permit_init(&p, 1);
    for (int turn = 0; turn < TURNS; turn++) {
        struct waiter w = {.permit = &p, .rc = 1};
        int again = 0;
        ck_assert_int_eq(permit_acquire(&p, CLOCK_NEVER), 0);
        ck_assert_int_eq(thread_start(&w.thread, "waiter", acquire_and_give, &w), 0);
        wait_until(10000, atomic_load(&p.waiting) == 1);
        while (atomic_load(&p.waiting) > 0) {
            again += atomic_load(&p.lookout) != NULL; /* by then the waiter has come too late */
            permit_give(&p);
            ck_assert_int_eq(permit_acquire(&p, CLOCK_NEVER), 0);
        }
        ck_assert_int_le(again, 2 * PERMIT_SHARE);
        permit_give(&p);
        thread_join(&w.thread);
        ck_assert_int_eq(w.rc, 0);
        ck_assert_int_eq(value_of(&p), 1);
        ck_assert_int_eq(p.in_use, 0);
    }
    permit_release_all(&p);
}
END_TEST

/* A waiter that was woken too late, and looks out for a permit. All of them are held. */
static void start_lookout(struct waiter *w, struct permit *p, void *(*main)(void *))
{
    for (;;) {
        *w = (struct waiter){.permit = p, .rc = 1};
        ck_assert_int_eq(thread_start(&w->thread, "waiter", main, w), 0);
        wait_until(10000, atomic_load(&p->waiting) == 1);
        bool have_it;
        do {
            if (atomic_load(&p->lookout))
                return;
            permit_give(p);
            have_it = permit_acquire(p, past) == 0;
        } while (have_it && atomic_load(&p->waiting) == 1);
        thread_join(&w->thread); /* it was fast enough: another one */
        if (main == acquire)
            permit_give(p);
        if (!have_it)
            ck_assert_int_eq(permit_acquire(p, CLOCK_NEVER), 0);
    }
}

/* Nothing is handed to the line while a lower limit is being paid back. */
START_TEST(the_debt_goes_before_the_line)
{
    struct permit p;
    struct waiter w;
    permit_init(&p, 2);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_lookout(&w, &p, acquire_and_give);
    permit_resize(&p, 1);
    ck_assert_int_eq(p.debt, 1);
    atomic_store(&p.passed, PERMIT_SHARE); /* it would be the line's turn */
    permit_give(&p);
    ck_assert_int_eq(p.debt, 0);
    ck_assert_int_eq(p.in_use, 1);
    ck_assert_int_eq(p.waiting, 1);
    permit_give(&p);
    thread_join(&w.thread);
    ck_assert_int_eq(w.rc, 0);
    ck_assert_int_eq(value_of(&p), 1);
    ck_assert_int_eq(p.in_use, 0);
    permit_release_all(&p);
}
END_TEST

/* Two are given back where the lookout alone was to look for one: who takes the first leaves the
 * second to the line. */
START_TEST(nothing_is_left_lying)
{
    enum { TURNS = 50 };
    struct permit p;
    permit_init(&p, 2);
    for (int turn = 0; turn < TURNS; turn++) {
        struct waiter lookout, w = {.permit = &p, .rc = 1};
        ck_assert_int_eq(permit_acquire(&p, CLOCK_NEVER), 0);
        ck_assert_int_eq(permit_acquire(&p, CLOCK_NEVER), 0);
        start_lookout(&lookout, &p, acquire);
        ck_assert_int_eq(thread_start(&w.thread, "waiter", acquire, &w), 0);
        wait_until(10000, atomic_load(&p.waiting) == 2);
        permit_give(&p);
        permit_give(&p);
        thread_join(&lookout.thread);
        thread_join(&w.thread);
        ck_assert_int_eq(lookout.rc + w.rc, 0);
        ck_assert_int_eq(p.in_use, 2);
        permit_give(&p);
        permit_give(&p);
    }
    permit_release_all(&p);
}
END_TEST

static atomic_int turns;

static void *pass_on(void *arg)
{
    struct waiter *w = arg;
    w->rc = permit_acquire(w->permit, CLOCK_NEVER);
    w->turn = atomic_fetch_add(&turns, 1);
    atomic_store(&w->permit->passed, PERMIT_SHARE); /* to the line, not to whoever comes */
    permit_give(w->permit);
    return NULL;
}

/* First come, first served, be it handed to them or left for them to look for. */
START_TEST(the_line_is_in_order)
{
    struct permit p;
    struct waiter lookout, waiters[WAITERS];
    permit_init(&p, 1);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_lookout(&lookout, &p, acquire_and_give);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){.permit = &p, .rc = 1};
        ck_assert_int_eq(thread_start(&waiters[i].thread, "waiter", pass_on, &waiters[i]), 0);
        wait_until(10000, atomic_load(&p.waiting) == i + 2);
    }
    atomic_store(&p.passed, PERMIT_SHARE);
    permit_give(&p);
    join_waiters(waiters, 0);
    thread_join(&lookout.thread);
    ck_assert_int_eq(lookout.rc, 0);
    for (int i = 0; i < WAITERS; i++)
        ck_assert_int_eq(waiters[i].turn, i);
    ck_assert_uint_eq(p.handed, PERMIT_TERM); /* the last of which was the lookout's */
    permit_release_all(&p);
}
END_TEST

/* Many threads through a small gate, counting themselves inside of it. */
struct crowd {
    struct permit permit;
    atomic_int inside;
    atomic_int most;
    atomic_int failures; /* acquires that ended in something unexpected */
    atomic_int rounds;
    atomic_bool done;
    atomic_bool stopped_ok; /* -ECANCELED is expected from now on */
};

enum { CROWD = 24, ROUNDS = 300 };

static void pass_gate(struct crowd *c)
{
    int now = atomic_fetch_add(&c->inside, 1) + 1;
    int most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        ;
    if (random_below(4) == 0)
        sched_yield();
    atomic_fetch_sub(&c->inside, 1);
    atomic_fetch_add(&c->rounds, 1);
    permit_give(&c->permit);
}

static void *push_through(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int rc = permit_acquire(&c->permit, i % 8 ? CLOCK_NEVER : past);
        if (rc == 0)
            pass_gate(c);
        else if (rc == -ECANCELED && atomic_load(&c->stopped_ok))
            break;
        else if (rc != -ETIMEDOUT || i % 8)
            atomic_fetch_add(&c->failures, 1);
    }
    return NULL;
}

static void *keep_resizing(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; !atomic_load(&c->done); i++) {
        permit_resize(&c->permit, 1 + i % 6);
        sched_yield();
    }
    return NULL;
}

static void start_crowd(struct crowd *c, struct thread *threads)
{
    for (int i = 0; i < CROWD; i++)
        ck_assert_int_eq(thread_start(&threads[i], "crowd", push_through, c), 0);
}

static void join_crowd(struct thread *threads)
{
    for (int i = 0; i < CROWD; i++)
        thread_join(&threads[i]);
}

START_TEST(never_more_than_the_limit)
{
    static struct crowd c;
    struct thread threads[CROWD];
    permit_init(&c.permit, 5);
    start_crowd(&c, threads);
    join_crowd(threads);
    ck_assert_int_eq(c.failures, 0);
    ck_assert_int_le(c.most, 5);
    ck_assert_int_le(c.permit.peak, 5);
    ck_assert_int_eq(c.permit.in_use, 0);
    ck_assert_int_eq(value_of(&c.permit), 5);
    ck_assert_uint_eq(histogram_total(&c.permit.wait), (uint64_t)c.rounds);
    permit_release_all(&c.permit);
}
END_TEST

START_TEST(never_more_while_resized)
{
    static struct crowd c;
    struct thread threads[CROWD], resizer;
    permit_init(&c.permit, 1);
    ck_assert_int_eq(thread_start(&resizer, "resizer", keep_resizing, &c), 0);
    start_crowd(&c, threads);
    join_crowd(threads);
    atomic_store(&c.done, true);
    thread_join(&resizer);
    ck_assert_int_eq(c.failures, 0);
    ck_assert_int_le(c.most, 6);

    /* No permit was lost or made: at rest the limit is what can be had. */
    permit_resize(&c.permit, 4);
    ck_assert_int_eq(c.permit.in_use, 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(permit_acquire(&c.permit, past), 0);
    ck_assert_int_eq(permit_acquire(&c.permit, past), -ETIMEDOUT);
    ck_assert_int_eq(c.permit.debt, 0);
    for (int i = 0; i < 4; i++)
        permit_give(&c.permit);

    /* And the limit holds again. */
    c.most = 0;
    start_crowd(&c, threads);
    join_crowd(threads);
    ck_assert_int_le(c.most, 4);
    permit_release_all(&c.permit);
}
END_TEST

/* The wake-up of a stop is no permit, not even for those who come at the same moment. */
START_TEST(never_more_while_stopped)
{
    for (int round = 0; round < 10; round++) {
        static struct crowd c;
        struct thread threads[CROWD];
        c = (struct crowd){0};
        permit_init(&c.permit, 2);
        start_crowd(&c, threads);
        wait_until(10000, atomic_load(&c.rounds) > 50);
        atomic_store(&c.stopped_ok, true);
        permit_stop(&c.permit);
        join_crowd(threads);
        ck_assert_int_eq(c.failures, 0);
        ck_assert_int_le(c.most, 2);
        ck_assert_int_le(c.permit.peak, 2);
        ck_assert_int_eq(c.permit.in_use, 0);
        permit_release_all(&c.permit);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("permit");
    TCase *tc = tcase_create("alone");
    tcase_add_test(tc, as_many_as_the_limit);
    tcase_add_test(tc, peaks_of_intervals);
    tcase_add_test(tc, resize_while_in_use);
    tcase_add_test(tc, resize_takes_free_permits_at_once);
    tcase_add_test(tc, a_left_over_permit_pays_the_debt);
    suite_add_tcase(s, tc);

    tc = tcase_create("waiters");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, stop_wakes_everybody);
    tcase_add_test(tc, stop_is_not_swallowed_by_a_resize);
    tcase_add_test(tc, give_and_resize_wake_waiters);
    tcase_add_test(tc, the_line_moves);
    tcase_add_test(tc, the_debt_goes_before_the_line);
    tcase_add_test(tc, nothing_is_left_lying);
    tcase_add_test(tc, the_line_is_in_order);
    suite_add_tcase(s, tc);

    tc = tcase_create("crowds");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, never_more_than_the_limit);
    tcase_add_test(tc, never_more_while_resized);
    tcase_add_test(tc, never_more_while_stopped);
    suite_add_tcase(s, tc);
    return s;
}
