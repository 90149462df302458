/* The line of a permit: who waits, in which order, what ends the wait, and who is taken along. */
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

static void start_waiter(struct waiter *w, struct permit *p, void *(*main)(void *))
{
    int before = atomic_load(&p->waiting);
    *w = (struct waiter){.permit = p, .rc = 2};
    ck_assert_int_eq(thread_start(&w->thread, "waiter", main, w), 0);
    wait_until(10000, atomic_load(&p->waiting) == before + 1);
}

static void start_waiters(struct waiter *waiters, struct permit *p)
{
    for (int i = 0; i < WAITERS; i++)
        start_waiter(&waiters[i], p, acquire_and_give);
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

/* Whoever gives a permit back and wants it again at once finds it with the first in line. */
START_TEST(nobody_is_faster)
{
    struct permit p;
    struct waiter w;
    permit_init(&p, 1);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_waiter(&w, &p, acquire);
    permit_give(&p);
    ck_assert_int_eq(permit_acquire(&p, past), -ETIMEDOUT);
    thread_join(&w.thread);
    ck_assert_int_eq(w.rc, 0);
    ck_assert_int_eq(p.in_use, 1);
    permit_give(&p);
    ck_assert_int_eq(value_of(&p), 1);
    permit_release_all(&p);
}
END_TEST

/* Nothing is handed to the line while a lower limit is being paid back. */
START_TEST(the_debt_goes_before_the_line)
{
    struct permit p;
    struct waiter w;
    permit_init(&p, 2);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_waiter(&w, &p, acquire_and_give);
    permit_resize(&p, 1);
    ck_assert_int_eq(p.debt, 1);
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

static atomic_int turns;

static void *pass_on(void *arg)
{
    struct waiter *w = arg;
    w->rc = permit_acquire(w->permit, CLOCK_NEVER);
    w->turn = atomic_fetch_add(&turns, 1);
    permit_give(w->permit);
    return NULL;
}

START_TEST(the_line_is_in_order)
{
    struct permit p;
    struct waiter waiters[WAITERS];
    permit_init(&p, 1);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    for (int i = 0; i < WAITERS; i++) {
        start_waiter(&waiters[i], &p, pass_on);
        if (i % 3 == 0)
            ck_assert_ptr_null(permit_board(&p, 0)); /* whoever looks at the line closes it up */
    }
    permit_give(&p);
    join_waiters(waiters, 0);
    for (int i = 0; i < WAITERS; i++)
        ck_assert_int_eq(waiters[i].turn, i);
    permit_release_all(&p);
}
END_TEST

/* Two who meet at a gate of one, again and again. */
struct meeting {
    struct permit permit;
    int expected;     /* of the other one's acquire */
    atomic_int round; /* that may begin; -1: no more */
    atomic_int met;   /* rounds that the other one has done */
    atomic_int failures;
    atomic_bool stolen;
};

static void spin_until(atomic_int *at, int value)
{
    while (atomic_load(at) < value)
        sched_yield();
}

static void *come_and_go(void *arg)
{
    struct meeting *m = arg;
    for (int i = 1;; i++) {
        int round;
        while ((round = atomic_load(&m->round)) < i && round >= 0)
            sched_yield();
        if (round < 0)
            return NULL;
        int rc = permit_acquire(&m->permit, clock_deadline_ms(20000));
        if (rc == 0)
            permit_give(&m->permit);
        if (rc != m->expected)
            atomic_fetch_add(&m->failures, 1);
        atomic_store(&m->met, i);
    }
}

/* What follows is before, while or after the other one comes. */
static void let_come(struct meeting *m, int round)
{
    atomic_store(&m->round, round);
    for (volatile uint64_t n = random_below(4000); n > 0; n--)
        ;
}

/* Whoever joins the line at the moment when a permit is given back has it. */
START_TEST(nobody_sleeps_beside_a_free_permit)
{
    enum { MEETINGS = 20000 };
    static struct meeting m;
    struct thread other;
    permit_init(&m.permit, 1);
    ck_assert_int_eq(thread_start(&other, "other", come_and_go, &m), 0);
    for (int i = 1; i <= MEETINGS && atomic_load(&m.failures) == 0; i++) {
        ck_assert_int_eq(permit_acquire(&m.permit, CLOCK_NEVER), 0);
        let_come(&m, i);
        permit_give(&m.permit);
        spin_until(&m.met, i);
    }
    atomic_store(&m.round, -1);
    thread_join(&other);
    ck_assert_int_eq(m.failures, 0);
    permit_release_all(&m.permit);
}
END_TEST

/* Nor does whoever joins it at the moment of a stop. */
START_TEST(nobody_sleeps_through_a_stop)
{
    enum { MEETINGS = 20000 };
    static struct meeting m = {.expected = -ECANCELED};
    struct thread other;
    ck_assert_int_eq(thread_start(&other, "other", come_and_go, &m), 0);
    for (int i = 1; i <= MEETINGS && atomic_load(&m.failures) == 0; i++) {
        permit_init(&m.permit, 1);
        ck_assert_int_eq(permit_acquire(&m.permit, past), 0);
        let_come(&m, i);
        permit_stop(&m.permit);
        spin_until(&m.met, i);
        permit_give(&m.permit);
        permit_release_all(&m.permit);
    }
    atomic_store(&m.round, -1);
    thread_join(&other);
    ck_assert_int_eq(m.failures, 0);
}
END_TEST

static void *steal(void *arg)
{
    struct meeting *m = arg;
    while (atomic_load(&m->round) >= 0)
        if (sem_trywait(&m->permit.sem) == 0) { /* as whoever comes tries first */
            atomic_store(&m->stolen, true);
            ck_assert_int_eq(sem_post(&m->permit.sem), 0);
        }
    return NULL;
}

/* What goes to the first in line cannot be had on its way. */
START_TEST(nobody_steals_from_the_line)
{
    enum { TURNS = 1000 };
    static struct meeting m;
    struct thread thief;
    permit_init(&m.permit, 1);
    ck_assert_int_eq(permit_acquire(&m.permit, past), 0);
    ck_assert_int_eq(thread_start(&thief, "thief", steal, &m), 0);
    for (int i = 0; i < TURNS && !atomic_load(&m.stolen); i++) {
        struct waiter w = {.permit = &m.permit, .rc = 1};
        ck_assert_int_eq(thread_start(&w.thread, "waiter", acquire, &w), 0);
        spin_until(&m.permit.waiting, 1);
        permit_give(&m.permit);
        thread_join(&w.thread); /* and has it, as we had it before */
        ck_assert_int_eq(w.rc, 0);
    }
    atomic_store(&m.round, -1);
    thread_join(&thief);
    ck_assert(!m.stolen);
    permit_give(&m.permit);
    permit_release_all(&m.permit);
}
END_TEST

/* --- riding -------------------------------------------------------------------------------- */

struct rider {
    struct permit_waiter self;
    struct waiter w;
    int64_t deadline_ns;
    atomic_int back;
};

static void *ride(void *arg)
{
    struct rider *r = arg;
    r->w.rc = permit_acquire_or_ride(r->w.permit, r->deadline_ns, &r->self);
    atomic_store(&r->back, 1);
    return NULL;
}

static void start_rider(struct rider *r, struct permit *p, int64_t deadline_ns)
{
    int before = atomic_load(&p->waiting);
    *r = (struct rider){.w = {.permit = p, .rc = 2}, .deadline_ns = deadline_ns};
    ck_assert_int_eq(thread_start(&r->w.thread, "rider", ride, r), 0);
    wait_until(10000, atomic_load(&p->waiting) == before + 1 || atomic_load(&r->back));
}

static void must_end(struct rider *r, int rc)
{
    thread_join(&r->w.thread);
    ck_assert_int_eq(r->w.rc, rc);
}

START_TEST(whoever_may_ride_is_taken_along)
{
    struct permit p;
    struct rider rider[4];
    permit_init(&p, 1);
    ck_assert_ptr_null(permit_board(&p, 3));                               /* nobody waits */
    ck_assert_int_eq(permit_acquire_or_ride(&p, past, &rider[0].self), 0); /* free: a permit */
    ck_assert_int_eq(permit_acquire_or_ride(&p, past, &rider[0].self), -ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        start_rider(&rider[i], &p, CLOCK_NEVER);

    struct permit_waiter *aboard = permit_board(&p, 3); /* in their order, and no more */
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_eq(aboard, &rider[i].self);
        aboard = aboard->behind;
    }
    ck_assert_ptr_null(aboard);
    ck_assert_int_eq(p.waiting, 1);
    ck_assert_int_eq(p.in_use, 1);
    for (int i = 2; i >= 0; i--) { /* let off in any order, and none before */
        ck_assert_int_eq(atomic_load(&rider[i].back), 0);
        permit_alight(&rider[i].self);
        must_end(&rider[i], PERMIT_RODE);
    }
    permit_give(&p); /* to the one that is left */
    must_end(&rider[3], 0);
    ck_assert_int_eq(p.in_use, 1);
    permit_give(&p);
    ck_assert_int_eq(value_of(&p), 1);
    ck_assert_uint_eq(histogram_total(&p.wait), 5);
    permit_release_all(&p);
}
END_TEST

/* Those who need a permit of their own are not passed by. */
START_TEST(riders_behind_others_stay)
{
    struct permit p;
    struct rider before, behind;
    struct waiter w;
    permit_init(&p, 1);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_rider(&before, &p, CLOCK_NEVER);
    start_waiter(&w, &p, acquire);
    start_rider(&behind, &p, CLOCK_NEVER);
    struct permit_waiter *aboard = permit_board(&p, 9);
    ck_assert_ptr_eq(aboard, &before.self);
    ck_assert_ptr_null(aboard->behind);
    ck_assert_ptr_null(permit_board(&p, 9));
    permit_alight(aboard);
    must_end(&before, PERMIT_RODE);
    permit_give(&p);
    thread_join(&w.thread);
    permit_give(&p);
    must_end(&behind, 0);
    permit_give(&p);
    permit_release_all(&p);
}
END_TEST

/* What befalls those in line does not befall those aboard, whose operations are under way. */
START_TEST(aboard_there_is_no_deadline_and_no_stop)
{
    struct permit p;
    struct rider late, aboard, in_line;
    permit_init(&p, 1);
    ck_assert_int_eq(permit_acquire(&p, past), 0);
    start_rider(&late, &p, clock_deadline_ms(20));
    must_end(&late, -ETIMEDOUT);
    for (;;) { /* on a busy machine its time may be over before it is aboard */
        start_rider(&aboard, &p, clock_deadline_ms(200));
        if (permit_board(&p, 1))
            break;
        must_end(&aboard, -ETIMEDOUT);
    }
    start_rider(&in_line, &p, CLOCK_NEVER);
    permit_stop(&p);
    must_end(&in_line, -ECANCELED);
    wait_until(10000, clock_now_ns() > aboard.deadline_ns);
    ck_assert_int_eq(atomic_load(&aboard.back), 0);
    permit_alight(&aboard.self);
    must_end(&aboard, PERMIT_RODE);
    permit_give(&p);
    permit_release_all(&p);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("permit line");
    TCase *tc = tcase_create("waiters");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, stop_wakes_everybody);
    tcase_add_test(tc, stop_is_not_swallowed_by_a_resize);
    tcase_add_test(tc, give_and_resize_wake_waiters);
    tcase_add_test(tc, nobody_is_faster);
    tcase_add_test(tc, the_debt_goes_before_the_line);
    tcase_add_test(tc, the_line_is_in_order);
    suite_add_tcase(s, tc);

    tc = tcase_create("meetings");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, nobody_sleeps_beside_a_free_permit);
    tcase_add_test(tc, nobody_sleeps_through_a_stop);
    tcase_add_test(tc, nobody_steals_from_the_line);
    suite_add_tcase(s, tc);

    tc = tcase_create("riders");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, whoever_may_ride_is_taken_along);
    tcase_add_test(tc, riders_behind_others_stay);
    tcase_add_test(tc, aboard_there_is_no_deadline_and_no_stop);
    suite_add_tcase(s, tc);
    return s;
}
