/*
 * Pollers of the schedule race and die (row 30).
 */
#include "stage.h"
#include "support/matrix.h"

/* Five workers look after the same schedule and are killed at random while entries fall due. */
START_TEST(each_due_job_is_pushed_exactly_once)
{
    enum { POLLERS = 5, ENTRIES = 2000, SPAN_MS = 4000, KILLS = 25 };
    struct stage s;
    stage_open(&s, NULL);
    srand(seed("pollers"));
    /* The jobs go to a queue that nobody serves, so that each push can be counted. */
    struct reply *time = must_call(s.redis, "TIME");
    double now = reply_real(reply_at(time, 0));
    reply_free(time);
    for (int i = 0; i < ENTRIES; i++) {
        char *payload = oracle_payload(&s.oracle, "elsewhere", "", NULL);
        double at = now + 1 + (double)i / ENTRIES * SPAN_MS / 1000;
        must_do(s.redis, "ZADD %s %f %s", i % 2 ? "schedule" : "retry", at, payload);
        oracle_ack(&s.oracle, 1);
        free(payload);
    }
    for (int i = 0; i < POLLERS; i++)
        stage_cast(&s, i, (struct role){.threads = 1});
    int64_t until_ns = clock_deadline_ms(SPAN_MS + 1000);
    int kills = 0;
    while (clock_now_ns() < until_ns) {
        hold_ms(SPAN_MS / KILLS / 2 + rand() % (SPAN_MS / KILLS));
        int i = rand() % POLLERS;
        worker_process_kill(&s.worker[i]);
        ck_assert_int_eq(s.worker[i].status, 128 + SIGKILL);
        kills++;
        stage_cast(&s, i, (struct role){.threads = 1});
    }
    wait_until(DRAIN_MS,
               must_int(s.redis, "ZCARD schedule") + must_int(s.redis, "ZCARD retry") == 0);
    ck_assert_int_ge(kills, POLLERS); /* on a slow machine fewer, but each about once */
    ck_assert_int_eq(must_int(s.redis, "LLEN queue:elsewhere"), ENTRIES);
    for (int i = 0; i < POLLERS; i++)
        worker_process_kill(&s.worker[i]);
    /* And each of them can be run. */
    must_do(s.redis, "RENAME queue:elsewhere queue:default");
    (void)stage_worker(&s, 0, (struct role){0});
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "5 pollers killed at random", 0);
    wait_until(DRAIN_MS, must_int(s.redis, "SCARD sluice:workers") == 1);
    must_stop(&s.worker[0]);
    check_books_are_empty(&s);
    matrix_report(&(struct matrix_entry){
        .row = 30,
        .fault = matrix_text("%d pollers killed at random while jobs fall due", POLLERS),
        .bit = matrix_text("%d kills in %.0f s", kills, SPAN_MS / 1000.0),
        .figures = &f,
        .result = matrix_text("each of %d due jobs pushed exactly once", ENTRIES)});
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 30,
        .fault = matrix_text("%d pollers race for %d due jobs and are killed at random", POLLERS,
                             ENTRIES),
        .bit = matrix_text("%d were killed", kills),
        .figures = &f,
        .result = "each job was pushed exactly once"});
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("schedule");
    stage_add(suite, each_due_job_is_pushed_exactly_once, 1);
    return suite;
}
