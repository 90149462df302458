/*
 * The worker dies between two steps of a job's life, at each of its fail points (rows 2 and 3).
 */
#include "stage.h"
#include "support/matrix.h"

enum { THREADS = 4, JOBS = 40 };

static const struct {
    const char *name, *when;
    int row;
    bool waits; /* it takes a job by a blocking wait; else it meets a backlog */
} instants[] = {
    {"landed", "a blocking wait has moved a job, which has not started", 2, true},
    {"claimed", "a batch is claimed, of which no job has started", 2, false},
    {"before-run", "a job is parsed, its handler has not begun", 2, false},
    {"after-run:15", "a handler has returned, nobody knows its outcome", 3, false},
    {"before-ack:3", "ends are gathered and not sent", 3, false},
    {"after-ack:3", "ends are written, the worker does not know", 3, false},
};
enum { INSTANTS = sizeof instants / sizeof instants[0] };

/* Jobs that have started and whose end is not in Redis: only these may run again. */
static size_t count_unwritten(struct stage *s)
{
    size_t waiting = (size_t)must_int(s->redis, "LLEN queue:default") + count_claimed(s);
    oracle_read(&s->oracle);
    size_t written = s->oracle.njobs - waiting;
    return oracle_started(&s->oracle) - written;
}

START_TEST(a_death_between_two_steps_loses_nothing)
{
    struct stage s;
    stage_open(&s, NULL);
    struct role doomed = {.threads = THREADS, .failpoint = instants[_i].name};
    if (instants[_i].waits) {
        (void)stage_worker(&s, 0, doomed);
        wait_until(DRAIN_MS, info(&s, "clients", "blocked_clients") == 1);
        ck_assert(oracle_push(&s.oracle, "default", ""));
    } else {
        oracle_push_many(&s.oracle, "default", "", JOBS);
        stage_cast(&s, 0, doomed);
        /* More, until it has made as many claims as it takes. */
        while (!worker_process_ended(&s.worker[0])) {
            ck_assert_uint_lt(s.oracle.njobs, 1000 * JOBS);
            oracle_push_many(&s.oracle, "default", "", 1);
            hold_ms(2);
        }
    }
    ck_assert_int_eq(worker_process_wait(&s.worker[0], DRAIN_MS), 128 + SIGKILL);
    int64_t died_ns = clock_now_ns();
    size_t claimed = count_claimed(&s);
    size_t unwritten = count_unwritten(&s);
    if (instants[_i].row == 2)
        ck_assert_uint_eq(oracle_started(&s.oracle), 0);
    if (strncmp(instants[_i].name, "after-ack", 9) != 0)
        ck_assert_uint_gt(claimed, 0);

    (void)stage_worker(&s, 1, (struct role){.threads = THREADS});
    wait_until(DRAIN_MS, worker_process_said(&s.worker[1], "a worker is dead"));
    int64_t took_ms = ms_since(died_ns);
    int64_t bound_ms = SLOW * (CALM_MS + SWEEP_MS + 2 * TICK_MS); /* the survivor is new */
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, instants[_i].name, unwritten);
    ck_assert_int_le(took_ms, bound_ms);
    wait_until(DRAIN_MS, nothing_is_left(&s));
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(
        &(struct matrix_entry){.row = instants[_i].row,
                               .fault = matrix_text("SIGKILL to itself: %s", instants[_i].when),
                               .bit = matrix_text("it died there, %zu jobs claimed", claimed),
                               .figures = &f,
                               .max_duplicates = unwritten,
                               .took = "recovered",
                               .took_ms = took_ms,
                               .bound_ms = bound_ms});
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("instants");
    stage_add(suite, a_death_between_two_steps_loses_nothing, INSTANTS);
    return suite;
}
