/*
 * The disk of the append-only file is full: with everysec Redis refuses every write with MISCONF
 * until there is space again (row 21). With always it would end itself, as in row 14.
 */
#include "stage.h"
#include "support/aof.h"
#include "support/matrix.h"

enum { BACK_MS = 5000, SPARE_MS = 1000, RUNNING = 6, WAITING = 20 };

static void open_with_file(struct stage *s)
{
    static const char *const extra[] = {"--appendonly", "yes", "--appendfsync", "everysec", NULL};
    struct redis_server_options o = {.extra = extra};
    stage_open(s, &o);
}

/* What a full disk means to a client. */
static bool writes_are_refused(struct stage *s)
{
    struct err err = {""};
    return redis_callf(s->redis, NULL, &err, "SET probe 1") != 0 && strstr(err.text, "MISCONF");
}

/* Two workers with jobs that run, more that wait, and no more space. Then the running ones end. */
static void end_jobs_on_a_full_disk(struct stage *s, const char *outcome)
{
    open_with_file(s);
    for (int i = 0; i < 2; i++)
        (void)stage_worker(s, i, (struct role){.threads = RUNNING / 2});
    oracle_push_many(&s->oracle, "default", gated(s, "end", ""), RUNNING / 2);
    oracle_push_many(&s->oracle, "default", gated(s, "end", outcome), RUNNING / 2);
    wait_until(DRAIN_MS, oracle_running(&s->oracle) == RUNNING);
    oracle_push_many(&s->oracle, "default", "", WAITING);
    aof_limit(&s->server, aof_size(&s->server));
    wait_until(DRAIN_MS, writes_are_refused(s));
    open_gate(s, "end");
    wait_until(DRAIN_MS, oracle_ended(&s->oracle) == RUNNING);
    for (int i = 0; i < 2; i++) /* it did happen, to them */
        wait_until(DRAIN_MS, worker_process_said(&s->worker[i], "settled; trying again") &&
                                 worker_process_said(&s->worker[i], "MISCONF"));
}

static void check_nothing_was_done(struct stage *s)
{
    ck_assert_int_eq(stat_of(s, "stat:processed"), 0);
    ck_assert_uint_eq(count_claimed(s), RUNNING);
    ck_assert_uint_eq(oracle_started(&s->oracle), RUNNING);
    ck_assert_int_eq(must_int(s->redis, "LLEN queue:default"), WAITING);
}

/* How it is seen that it happened. */
static const char *refusals(struct stage *s)
{
    return matrix_text("%lld MISCONF replies, for %d s",
                       (long long)info(s, "errorstats", "errorstat_MISCONF:count"), 2 * LEASE_S);
}

START_TEST(a_full_disk_holds_the_ends_of_jobs)
{
    struct stage s;
    end_jobs_on_a_full_disk(&s, ",\"outcome\":\"fail\"");
    hold_ms(2 * LEASE_S * 1000); /* all leases lapse: not even they can be written */
    check_nothing_was_done(&s);
    const char *bit = refusals(&s);
    aof_unlimited(&s.server);
    int64_t back_ns = clock_now_ns();
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == RUNNING + WAITING);
    int64_t took_ms = ms_since(back_ns);

    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "disk full", 0);
    ck_assert_int_eq(must_int(s.redis, "ZCARD retry"), RUNNING / 2);
    for (int i = 0; i < 2; i++) {
        ck_assert(!worker_process_said(&s.worker[i], "a worker is dead"));
        must_stop(&s.worker[i]);
    }
    check_books_are_empty(&s);
    ck_assert_int_le(took_ms, SLOW * (BACK_MS + SPARE_MS));
    matrix_report(&(struct matrix_entry){.row = 21,
                                         .fault = "disk of the AOF full while jobs end",
                                         .bit = bit,
                                         .figures = &f,
                                         .took = "all settled and run, once there is space",
                                         .took_ms = took_ms,
                                         .bound_ms = SLOW * (BACK_MS + SPARE_MS),
                                         .result = "ends were held, then written"});
    stage_close(&s);
}
END_TEST

START_TEST(a_worker_dies_on_a_full_disk)
{
    struct stage s;
    end_jobs_on_a_full_disk(&s, "");
    worker_process_kill(&s.worker[0]); /* and the ends it held */
    hold_ms(2 * LEASE_S * 1000);
    check_nothing_was_done(&s);
    const char *bit = refusals(&s);
    aof_unlimited(&s.server);
    int64_t back_ns = clock_now_ns();
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == RUNNING + WAITING);
    int64_t took_ms = ms_since(back_ns);

    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "killed on a full disk", RUNNING / 2);
    ck_assert_uint_eq(f.duplicates, RUNNING / 2);
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    matrix_report(&(struct matrix_entry){
        .row = 21,
        .fault =
            matrix_text("the same, and one of two workers killed; it held %d ends", RUNNING / 2),
        .bit = bit,
        .figures = &f,
        .max_duplicates = RUNNING / 2,
        .took = "all run, once there is space",
        .took_ms = took_ms});
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("disk full");
    stage_add(suite, a_full_disk_holds_the_ends_of_jobs, 1);
    stage_add(suite, a_worker_dies_on_a_full_disk, 1);
    return suite;
}
