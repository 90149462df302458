/*
 * A job that kills its worker (row 25), under a supervisor that starts the worker again and again.
 */
#include "stage.h"
#include "support/matrix.h"

enum { PILL_RUNS_MAX = 4 };

/* Starts worker 0 again whenever it has died, until no job is missing. Returns how often. */
static int supervise(struct stage *s, struct role role)
{
    int deaths = 0;
    int64_t deadline_ns = clock_deadline_ms(DRAIN_MS);
    stage_cast(s, 0, role);
    while (!oracle_drain(&s->oracle, 50)) {
        ck_assert_msg(clock_now_ns() < deadline_ns, "jobs are missing after %d deaths", deaths);
        if (!worker_process_ended(&s->worker[0]))
            continue;
        ck_assert_int_eq(s->worker[0].status, 128 + SIGABRT);
        deaths++;
        stage_cast(s, 0, role);
    }
    return deaths;
}

static void check_pill(struct stage *s, size_t pill)
{
    struct reply *dead = must_call(s->redis, "ZRANGE dead 0 -1");
    ck_assert_uint_eq(reply_count(dead), 1);
    const char *text = reply_str(reply_at(dead, 0)).p;
    char jid[ORACLE_JID + 1];
    (void)snprintf(jid, sizeof jid, "%s%08zx", s->oracle.salt, pill);
    ck_assert_msg(strstr(text, jid), "an innocent is dead: %s", text);
    ck_assert_msg(strstr(text, "\"error_class\":\"WorkerDied\""), "without its cause: %s", text);
    reply_free(dead);
    ck_assert_uint_le(s->oracle.jobs[pill].starts, PILL_RUNS_MAX);
}

/* The neighbours run longer than the pill needs to kill, so that each death takes all of them. */
START_TEST(a_poison_pill_is_buried_and_its_neighbours_live)
{
    enum { THREADS = 8 };
    struct stage s;
    stage_open(&s, NULL);
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":400", THREADS / 2);
    size_t pill = s.oracle.njobs;
    ck_assert(oracle_push(&s.oracle, "default", "\"sleep_ms\":100,\"outcome\":\"crash\""));
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":400", THREADS / 2 - 1);

    int deaths = supervise(&s, (struct role){.threads = THREADS, .lease_s = 1});
    ck_assert_int_eq(deaths, PILL_RUNS_MAX);
    check_pill(&s, pill);
    /* Each death but the last takes all; on its trial the pill is alone. */
    struct oracle_figures f = oracle_check(&s.oracle, "poison pill", PILL_RUNS_MAX * THREADS);
    wait_until(DRAIN_MS, nothing_is_left(&s));
    must_stop(&s.worker[0]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 25,
        .fault = matrix_text("a job aborts its worker, beside %d others", THREADS - 1),
        .bit = matrix_text("%d workers died of it", deaths),
        .figures = &f,
        .max_duplicates = PILL_RUNS_MAX * THREADS,
        .result = "it is dead with its cause, and nobody else"});
}
END_TEST

/* Under load: others come and go beside it, and the next in the queue are claimed with it. */
START_TEST(a_poison_pill_in_a_stream_takes_nobody_along)
{
    enum { THREADS = 4, JOBS = 300 };
    struct stage s;
    stage_open(&s, NULL);
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":20", JOBS / 2);
    size_t pill = s.oracle.njobs;
    ck_assert(oracle_push(&s.oracle, "default", "\"outcome\":\"crash\""));
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":20", JOBS / 2);
    int deaths = supervise(&s, (struct role){.threads = THREADS, .lease_s = 1});
    ck_assert_int_eq(deaths, PILL_RUNS_MAX);
    check_pill(&s, pill);
    struct oracle_figures f =
        oracle_check(&s.oracle, "poison pill in a stream", PILL_RUNS_MAX * THREADS);
    wait_until(DRAIN_MS, nothing_is_left(&s));
    must_stop(&s.worker[0]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){.row = 25,
                                         .fault = "the same in a stream of short jobs",
                                         .bit = matrix_text("%d workers died of it", deaths),
                                         .figures = &f,
                                         .max_duplicates = PILL_RUNS_MAX * THREADS,
                                         .result = "it is dead with its cause, and nobody else"});
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("poison");
    stage_add(suite, a_poison_pill_is_buried_and_its_neighbours_live, 1);
    stage_add(suite, a_poison_pill_in_a_stream_takes_nobody_along, 1);
    return suite;
}
