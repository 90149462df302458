/*
 * A worker whose jobs keep the processor busy while it is given a twentieth of one (row 27).
 *
 * A control group with a quota is not to be had everywhere. What its bandwidth control does, a
 * thread of the test does too: the worker runs until it has used its quota of a period, and is
 * stopped (SIGSTOP) until it has been paid for.
 */
#include <stdatomic.h>

#include "base/thread.h"
#include "stage.h"
#include "support/matrix.h"

enum {
    PERIOD_MS = 100,
    QUOTA_PERCENT = 5,
    STOP_MAX_MS = 200, /* a longer debt is remitted: it would come of this thread being late */
    BUSY = 4,
    STARVED_LEASE_S = 10, /* one renewal may need seconds of such a life */
    LEASES = 3,
    USED_MAX_PERCENT = 15,
};

struct throttle {
    pid_t pid;
    clockid_t cpu; /* the processor time of the worker */
    struct thread thread;
    atomic_bool done;
    int stops;
};

static int64_t used_ns(const struct throttle *t)
{
    struct timespec ts;
    ck_assert_int_eq(clock_gettime(t->cpu, &ts), 0);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void *throttle_main(void *arg)
{
    struct throttle *t = arg;
    const int64_t quota_ns = PERIOD_MS * NS_PER_MS * QUOTA_PERCENT / 100;
    while (!atomic_load(&t->done)) {
        int64_t began_ns = clock_now_ns(), before_ns = used_ns(t), used;
        (void)kill(t->pid, SIGCONT);
        do {
            hold_ms(1);
            used = used_ns(t) - before_ns;
        } while (used < quota_ns && ms_since(began_ns) < PERIOD_MS);
        (void)kill(t->pid, SIGSTOP);
        t->stops++;
        int64_t stop_ms = used * 100 / QUOTA_PERCENT / NS_PER_MS - ms_since(began_ns);
        hold_ms(stop_ms < 0 ? 0 : stop_ms > STOP_MAX_MS ? STOP_MAX_MS : stop_ms);
    }
    (void)kill(t->pid, SIGCONT);
    return NULL;
}

START_TEST(a_starved_worker_keeps_its_lease)
{
    enum { LENGTH_MS = LEASES * STARVED_LEASE_S * 1000 };
    struct stage s;
    char args[32];
    stage_open(&s, NULL);
    struct role starved = {.threads = BUSY, .lease_s = STARVED_LEASE_S};
    struct worker_process *w = stage_worker(&s, 0, starved);
    /* Whoever would recover its jobs, and takes none itself. */
    (void)stage_worker(&s, 1, (struct role){.threads = 1, .lease_s = STARVED_LEASE_S});
    worker_process_signal(&s.worker[1], SIGTSTP);
    wait_until(DRAIN_MS, worker_process_said(&s.worker[1], "quiet"));
    (void)snprintf(args, sizeof args, "\"spin_ms\":%d", LENGTH_MS + 2000);
    oracle_push_many(&s.oracle, "default", args, BUSY);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == BUSY);

    struct throttle t = {.pid = w->pid};
    ck_assert_int_eq(clock_getcpuclockid(w->pid, &t.cpu), 0);
    int64_t began_ns = clock_now_ns(), before_ns = used_ns(&t), least_ms = INT64_MAX;
    ck_assert_int_eq(thread_start(&t.thread, "throttle", throttle_main, &t), 0);
    int looks = 0;
    for (; ms_since(began_ns) < LENGTH_MS; looks++) {
        int64_t left_ms = must_int(s.redis, "PTTL sluice:lease:%s", w->identity);
        ck_assert_msg(left_ms > 0, "the lease is gone after %lld ms",
                      (long long)ms_since(began_ns));
        least_ms = left_ms < least_ms ? left_ms : least_ms;
        hold_ms(10);
    }
    int64_t percent = (used_ns(&t) - before_ns) * 100 / (clock_now_ns() - began_ns);
    ck_assert_uint_eq(oracle_ended(&s.oracle), 0); /* all the time busy */
    atomic_store(&t.done, true);
    thread_join(&t.thread);

    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    (void)printf("%lld %% of a processor, stopped %d times; the lease had %lld ms left at least\n",
                 (long long)percent, t.stops, (long long)least_ms);
    struct oracle_figures f = oracle_check(&s.oracle, "starved", 0);
    ck_assert_int_le(percent, USED_MAX_PERCENT);
    ck_assert_int_gt(percent, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert(!worker_process_said(&s.worker[i], "lease had lapsed"));
        ck_assert(!worker_process_said(&s.worker[i], "a worker is dead"));
        ck_assert(!worker_process_said(&s.worker[i], "no longer ours"));
        must_stop(&s.worker[i]);
    }
    check_books_are_empty(&s);
    matrix_report(&(struct matrix_entry){
        .row = 27,
        .fault =
            matrix_text("%d busy handlers with %d %% of a processor for %d leases, by SIGSTOP "
                        "and SIGCONT as a quota of %d ms in %d would",
                        BUSY, QUOTA_PERCENT, LEASES, PERIOD_MS * QUOTA_PERCENT / 100, PERIOD_MS),
        .bit = matrix_text("it used %lld %% of a processor and was stopped %d times",
                           (long long)percent, t.stops),
        .figures = &f,
        .result = matrix_text("in %d looks the lease of %d s had %.2f s left at least", looks,
                              STARVED_LEASE_S, (double)least_ms / 1000)});
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("starved");
    stage_add(suite, a_starved_worker_keeps_its_lease, 1);
    return suite;
}
