/*
 * Orders to stop, at bad moments and to workers that cannot (rows 5 and 6).
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proc.h"

enum { GRACE_MS = 3000 };

/* Row 5. Start, a few jobs, SIGTERM at a random instant, again and again. */
START_TEST(stops_at_random_instants_lose_and_repeat_nothing)
{
    enum { ROUNDS = SLOW > 1 ? 25 : 150, JOBS = 10 };
    struct stage s;
    int64_t longest_ms = 0, at_work = 0;
    stage_open(&s, NULL);
    srand(seed("stops at random instants"));
    for (int round = 0; round < ROUNDS; round++) {
        stage_cast(&s, 0, (struct role){.threads = 4});
        struct worker_process *w = &s.worker[0];
        oracle_push_many(&s.oracle, "default", rand() % 2 ? "" : "\"sleep_ms\":2", JOBS);
        /* Half of them before it has anything to do; but not before it listens to signals. */
        wait_until(DRAIN_MS, worker_process_said(w, "worker started"));
        if (rand() % 2)
            wait_until(DRAIN_MS, must_int(s.redis, "LLEN queue:default") < JOBS);
        hold_ms(rand() % 6);
        at_work += count_claimed(&s) > 0;
        int64_t asked_ns = clock_now_ns();
        ck_assert_int_eq(worker_process_stop(w), 0);
        longest_ms = ms_since(asked_ns) > longest_ms ? ms_since(asked_ns) : longest_ms;
        ck_assert_uint_eq(count_keys(&s, "sluice:*"), 0);
        worker_process_free(w);
    }
    (void)stage_worker(&s, 0, (struct role){0});
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "stops at random", 0);
    ck_assert_int_gt(at_work, 0);
    ck_assert_int_le(longest_ms, SLOW * 5000); /* reported below; here only a hang fails */
    must_stop(&s.worker[0]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 5,
        .fault = matrix_text("SIGTERM at %d random instants of start, claim and run", ROUNDS),
        .bit = matrix_text("%lld found jobs claimed", (long long)at_work),
        .figures = &f,
        .took = "slowest stop",
        .took_ms = longest_ms});
}
END_TEST

START_TEST(an_idle_worker_stops_at_once)
{
    struct stage s;
    stage_open(&s, NULL);
    struct worker_process *w = stage_worker(&s, 0, (struct role){0});
    wait_until(DRAIN_MS, info(&s, "clients", "blocked_clients") == 1);
    int64_t asked_ns = clock_now_ns();
    must_stop(w);
    int64_t took_ms = ms_since(asked_ns), bound_ms = SLOW * 1000;
    ck_assert_int_le(took_ms, bound_ms);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){.row = 5,
                                         .fault = "SIGTERM to an idle worker",
                                         .bit = "it was in its blocking wait",
                                         .took = "stopped",
                                         .took_ms = took_ms,
                                         .bound_ms = bound_ms});
}
END_TEST

/* Row 6a. */
START_TEST(jobs_that_end_in_time_are_done_once)
{
    enum { JOBS = 20 };
    struct stage s;
    stage_open(&s, NULL);
    struct worker_process *w = stage_worker(&s, 0, (struct role){.threads = JOBS});
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":1000,\"stubborn\":true", JOBS);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == JOBS);
    oracle_push_many(&s.oracle, "default", "", JOBS); /* these must not be started any more */
    must_stop(w);
    ck_assert_uint_eq(oracle_ended(&s.oracle), JOBS);
    ck_assert_int_eq(must_int(s.redis, "LLEN queue:default"), JOBS);
    ck_assert_uint_eq(count_keys(&s, "sluice:*"), 0);
    (void)stage_worker(&s, 1, (struct role){0});
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    (void)oracle_check(&s.oracle, "stop with jobs that end in time", 0);
    must_stop(&s.worker[1]);
    stage_close(&s);
}
END_TEST

/* Row 6b: cooperative ones are told to stop, stubborn ones are left; both are given back once. */
static void stop_with_long_jobs(bool stubborn, bool second_term)
{
    enum { JOBS = 10, TIMEOUT_S = 1 };
    struct stage s;
    stage_open(&s, NULL);
    struct role role = {.threads = JOBS, .shutdown_timeout_s = second_term ? 60 : TIMEOUT_S};
    struct worker_process *w = stage_worker(&s, 0, role);
    char args[64]; /* longer than it may take to stop */
    (void)snprintf(args, sizeof args, "\"sleep_ms\":%d,\"stubborn\":%s",
                   SLOW * (stubborn && !second_term ? 5000 : 2500), stubborn ? "true" : "false");
    oracle_push_many(&s.oracle, "default", args, JOBS);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == JOBS);
    int64_t asked_ns = clock_now_ns();
    worker_process_signal(w, SIGTERM);
    if (second_term) {
        wait_until(DRAIN_MS, worker_process_said(w, "stopping"));
        hold_ms(100);
        ck_assert(!worker_process_ended(w));
        worker_process_signal(w, SIGTERM);
    }
    ck_assert_int_eq(worker_process_wait(w, DRAIN_MS), 0);
    int64_t took_ms = ms_since(asked_ns);
    int64_t bound_ms = SLOW * 1000 + (second_term ? 0 : TIMEOUT_S * 1000) +
                       (stubborn && !second_term ? GRACE_MS : 1000);
    ck_assert_int_le(took_ms, bound_ms);
    ck_assert_uint_eq(oracle_ended(&s.oracle), 0);
    ck_assert_int_eq(must_int(s.redis, "LLEN queue:default"), JOBS); /* each of them once */
    ck_assert_uint_eq(count_keys(&s, "sluice:*"), 0);
    ck_assert_uint_eq(count_keys(&s, "retry"), 0);
    ck_assert_int_eq(stat_of(&s, "stat:processed"), 0);
    (void)stage_worker(&s, 1, (struct role){.threads = JOBS});
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    const char *title = second_term ? "second TERM" : "stop at the deadline";
    struct oracle_figures f = oracle_check(&s.oracle, title, JOBS);
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(
        &(struct matrix_entry){.row = 6,
                               .fault = matrix_text("%s with %d long jobs that %s", title, JOBS,
                                                    stubborn ? "do not heed it" : "heed it"),
                               .bit = "all were running, none had ended",
                               .figures = &f,
                               .max_duplicates = JOBS,
                               .took = "stopped",
                               .took_ms = took_ms,
                               .bound_ms = bound_ms,
                               .result = "each job given back once"});
}

START_TEST(what_runs_at_the_deadline_is_given_back)
{
    stop_with_long_jobs(_i == 1, false);
}
END_TEST

START_TEST(a_second_term_hurries)
{
    stop_with_long_jobs(_i == 1, true);
}
END_TEST

/* Row 6d. The child and the child of that child say no to SIGTERM. */
static void stop_with_child(bool second_term)
{
    static const char handlers[] =
        "  - class: child\n"
        "    exec: [/bin/sh, -c, 'trap \"\" TERM; sh -c \"trap \\\"\\\" TERM; echo \\$\\$ "
        ">grandchild; "
        "while :; do sleep 1; done\" & echo $$ >child; while :; do sleep 1; done']\n";
    struct stage s;
    stage_open(&s, NULL);
    struct role role = {.handlers = handlers, .shutdown_timeout_s = second_term ? 60 : 1};
    struct worker_process *w = stage_worker(&s, 0, role);
    must_do(s.redis, "LPUSH queue:default %s", "{\"class\":\"child\",\"args\":[],\"jid\":\"c\"}");
    int pids[2] = {0, 0};
    static const char *const names[2] = {"child", "grandchild"};
    for (int i = 0; i < 2; i++) {
        int64_t deadline_ns = clock_deadline_ms(DRAIN_MS);
        while (pids[i] == 0 && clock_now_ns() < deadline_ns) {
            char *text = worker_process_file(w, names[i]);
            if (strchr(text, '\n'))
                pids[i] = atoi(text);
            free(text);
            hold_ms(2);
        }
        ck_assert_int_gt(pids[i], 1);
        ck_assert(!proc_is_gone(pids[i]));
    }
    int64_t asked_ns = clock_now_ns();
    worker_process_signal(w, SIGTERM);
    if (second_term) {
        wait_until(DRAIN_MS, worker_process_said(w, "stopping"));
        worker_process_signal(w, SIGTERM);
    }
    ck_assert_int_eq(worker_process_wait(w, DRAIN_MS), 0);
    int64_t took_ms = ms_since(asked_ns);
    for (int i = 0; i < 2; i++)
        wait_until(2000, proc_is_gone(pids[i]));
    ck_assert_int_eq(must_int(s.redis, "LLEN queue:default"), 1);
    ck_assert_uint_eq(count_keys(&s, "sluice:*"), 0);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 28,
        .fault = matrix_text("a child and its child ignore TERM; the worker is told to stop%s",
                             second_term ? " twice" : ""),
        .bit = "both were running",
        .took = "stopped",
        .took_ms = took_ms,
        .result = "both gone, the job given back once"});
}

START_TEST(a_child_that_ignores_term_is_gone_with_its_group)
{
    stop_with_child(_i == 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("stop");
    stage_add(suite, stops_at_random_instants_lose_and_repeat_nothing, 1);
    stage_add(suite, an_idle_worker_stops_at_once, 1);
    stage_add(suite, jobs_that_end_in_time_are_done_once, 1);
    stage_add(suite, what_runs_at_the_deadline_is_given_back, 2);
    stage_add(suite, a_second_term_hurries, 2);
    stage_add(suite, a_child_that_ignores_term_is_gone_with_its_group, 2);
    return suite;
}
