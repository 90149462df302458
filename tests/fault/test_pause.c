/*
 * Somebody stands still for longer than a lease: the worker (row 4), or Redis (row 13).
 */
#include "stage.h"
#include "support/matrix.h"

static size_t log_lines(const struct stage *s, const char *text)
{
    size_t n = 0;
    for (int i = 0; i < WORKERS_MAX; i++)
        if (s->worker[i].server)
            n += (size_t)worker_process_count(&s->worker[i], text);
    return n;
}

/* Row 4. Half of the jobs end well, half fail: neither end may be written twice. */
START_TEST(who_comes_back_late_writes_nothing)
{
    enum { JOBS = 10 };
    struct stage s;
    stage_open(&s, NULL);
    struct worker_process *late = stage_worker(&s, 0, (struct role){.threads = JOBS});
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":300", JOBS / 2);
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":300,\"outcome\":\"fail\"", JOBS / 2);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == JOBS);
    worker_process_signal(late, SIGSTOP);
    ck_assert_uint_eq(oracle_ended(&s.oracle), 0);
    (void)stage_worker(&s, 1, (struct role){.threads = JOBS});
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == JOBS);
    ck_assert_int_eq(must_int(s.redis, "ZCARD retry"), JOBS / 2);

    worker_process_signal(late, SIGCONT);
    wait_until(DRAIN_MS, worker_process_count(late, "no longer ours") == JOBS);
    ck_assert(worker_process_said(late, "lease had lapsed"));
    ck_assert_int_eq(stat_of(&s, "stat:processed"), JOBS);
    ck_assert_int_eq(stat_of(&s, "stat:failed"), JOBS / 2);
    ck_assert_int_eq(must_int(s.redis, "ZCARD retry"), JOBS / 2);
    struct oracle_figures f = oracle_check(&s.oracle, "a worker stopped beyond its lease", JOBS);
    /* It is a worker like any other again. */
    must_do(s.redis, "DEL retry");
    worker_process_kill(&s.worker[1]);
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == JOBS + 1);
    must_stop(late);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){.row = 4,
                                         .fault = "SIGSTOP beyond the lease with jobs running",
                                         .bit = "its jobs were recovered meanwhile",
                                         .figures = &f,
                                         .max_duplicates = JOBS,
                                         .result = "late ends wrote nothing; it works on"});
}
END_TEST

/* Row 4 while claimed jobs wait for a thread: who comes back must not start them. */
START_TEST(who_comes_back_late_starts_nothing)
{
    enum { JOBS = 20000 };
    struct stage s;
    stage_open(&s, NULL);
    struct worker_process *late = stage_worker(&s, 0, (struct role){.threads = 2});
    worker_process_signal(late, SIGTSTP);
    wait_until(DRAIN_MS, worker_process_said(late, "quiet"));
    oracle_push_many(&s.oracle, "default", "", JOBS); /* so short that they are claimed ahead */
    size_t claimed = 0;
    while (claimed <= 2) { /* a stop between two claims finds none */
        ck_assert_int_gt(must_int(s.redis, "LLEN queue:default"), 0);
        worker_process_signal(late, SIGCONT);
        hold_ms(5);
        worker_process_signal(late, SIGSTOP);
        (void)must_int(s.redis, "DBSIZE"); /* by now Redis has done what was sent before */
        claimed = count_claimed(&s);
    }
    (void)stage_worker(&s, 1, (struct role){.threads = 2});
    wait_until(DRAIN_MS, worker_process_said(&s.worker[1], "a worker is dead"));
    worker_process_signal(late, SIGCONT);
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "stopped with jobs waiting", claimed);
    size_t unstarted = log_lines(&s, "was not started");
    wait_until(DRAIN_MS, nothing_is_left(&s));
    must_stop(late);
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 4,
        .fault = "SIGSTOP beyond the lease with jobs claimed ahead",
        .bit = matrix_text("%zu jobs were claimed and recovered", claimed),
        .figures = &f,
        .max_duplicates = claimed,
        .result = matrix_text("%zu of them it did not start any more", unstarted)});
}
END_TEST

/* Two workers with jobs that run, and jobs that come and go. */
static void open_with_load(struct stage *s, int jobs, int64_t pause_ms)
{
    char args[32]; /* across the pause */
    (void)snprintf(args, sizeof args, "\"sleep_ms\":%lld", (long long)pause_ms + 1000);
    stage_open(s, NULL);
    (void)stage_worker(s, 0, (struct role){.threads = jobs});
    (void)stage_worker(s, 1, (struct role){.threads = jobs});
    hold_ms(CALM_MS + TICK_MS); /* only then would they recover each other */
    oracle_push_many(&s->oracle, "default", args, jobs);
    wait_until(DRAIN_MS, oracle_running(&s->oracle) == (size_t)jobs);
    oracle_push_many(&s->oracle, "default", "\"sleep_ms\":20", jobs);
}

static void check_nothing_was_recovered(struct stage *s, const char *title)
{
    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s->oracle, title, 0);
    ck_assert_uint_eq(log_lines(s, "a worker is dead"), 0);
    /* The fault did happen, by the workers' own account. */
    size_t unrenewed = log_lines(s, "could not renew the lease");
    ck_assert_uint_ge(unrenewed, 2);
    must_stop(&s->worker[0]);
    must_stop(&s->worker[1]);
    check_books_are_empty(s);
    stage_close(s);
    matrix_report(&(struct matrix_entry){
        .row = 13,
        .fault = title,
        .bit = matrix_text("%zu renewals of leases of %d s failed", unrenewed, LEASE_S),
        .figures = &f,
        .result = "nobody was taken for dead"});
}

/* Row 13. Every lease lapses at once, and nobody is dead. */
START_TEST(a_pause_of_redis_is_no_death_of_workers)
{
    static const int64_t lengths_ms[] = {1000 * LEASE_S, 2500 * LEASE_S};
    int64_t pause_ms = lengths_ms[_i];
    struct stage s;
    char title[64];
    open_with_load(&s, 6, pause_ms);
    must_do(s.redis, "CLIENT PAUSE %d ALL", (int)pause_ms);
    hold_ms(pause_ms);
    (void)snprintf(title, sizeof title, "CLIENT PAUSE for %lld ms", (long long)pause_ms);
    check_nothing_was_recovered(&s, title);
}
END_TEST

START_TEST(a_frozen_redis_is_no_death_of_workers)
{
    static const int64_t lengths_ms[] = {1200 * LEASE_S, 3500 * LEASE_S};
    struct stage s;
    char title[64];
    open_with_load(&s, 6, lengths_ms[_i]);
    redis_server_pause(&s.server);
    hold_ms(lengths_ms[_i]);
    redis_server_resume(&s.server);
    (void)snprintf(title, sizeof title, "Redis stopped for %lld ms", (long long)lengths_ms[_i]);
    check_nothing_was_recovered(&s, title);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pause");
    stage_add(suite, who_comes_back_late_writes_nothing, 1);
    stage_add(suite, who_comes_back_late_starts_nothing, 1);
    stage_add(suite, a_pause_of_redis_is_no_death_of_workers, 2);
    stage_add(suite, a_frozen_redis_is_no_death_of_workers, 2);
    return suite;
}
