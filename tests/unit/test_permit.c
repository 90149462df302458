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

/* What each wants to be done once, by whomever. */
struct errand {
    struct permit_waiter self; /* first: what is aboard is cast to an errand */
    int done;
};

static void run_errands(struct crowd *c, struct errand *own)
{
    own->done++;
    struct permit_waiter *aboard = permit_board(&c->permit, 3);
    while (aboard) {
        struct permit_waiter *w = aboard;
        aboard = w->behind;
        ((struct errand *)w)->done++;
        atomic_fetch_add(&c->rounds, 1);
        permit_alight(w);
    }
}

static void pass_gate(struct crowd *c, struct errand *own)
{
    int now = atomic_fetch_add(&c->inside, 1) + 1;
    int most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        ;
    if (random_below(4) == 0)
        sched_yield();
    run_errands(c, own);
    atomic_fetch_sub(&c->inside, 1);
    atomic_fetch_add(&c->rounds, 1);
    permit_give(&c->permit);
}

static void *push_through(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct errand own = {.done = 0};
        int64_t deadline_ns = i % 8 ? CLOCK_NEVER : i % 16 ? past : clock_deadline_ms(1);
        int rc = i % 3 ? permit_acquire_or_ride(&c->permit, deadline_ns, &own.self)
                       : permit_acquire(&c->permit, deadline_ns);
        if (rc == 0)
            pass_gate(c, &own);
        if (own.done != (rc >= 0))
            atomic_fetch_add(&c->failures, 1);
        if (rc >= 0)
            continue;
        if (rc == -ECANCELED && atomic_load(&c->stopped_ok))
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

    tc = tcase_create("crowds");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, never_more_than_the_limit);
    tcase_add_test(tc, never_more_while_resized);
    tcase_add_test(tc, never_more_while_stopped);
    suite_add_tcase(s, tc);
    return s;
}
