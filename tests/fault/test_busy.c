/*
 * Somebody's script does not end: Redis answers everybody else with BUSY (row 19).
 */
#include "base/thread.h"
#include "stage.h"
#include "support/matrix.h"

enum { BUSY_MS = 6000, BACK_MS = 5000 };

/* The longest pause between two tries is the bound of the matrix; noticing takes a little. */
enum { SPARE_MS = 1000 };

static void *run_for_ever(void *server)
{
    struct redis_options to = server_options(server);
    struct redis_conn *c = must_open(&to);
    struct reply *killed = NULL;
    /* Its error is the only answer: SCRIPT KILL ends it. */
    (void)!redis_callf(c, &killed, NULL, "EVAL %s 0", "while true do end");
    reply_free(killed);
    redis_conn_free(c);
    return NULL;
}

/* The only commands that Redis takes now are SCRIPT KILL and SHUTDOWN. */
static bool is_busy(struct stage *s)
{
    struct err err = {""};
    return redis_callf(s->redis, NULL, &err, "PING") != 0 && strstr(err.text, "BUSY") != NULL;
}

START_TEST(a_busy_redis_is_waited_for)
{
    enum { WORKERS = 2, THREADS = 5, RUNNING = 6, WAITING = 20 };
    const char *const extra[] = {"--busy-reply-threshold", "100", NULL};
    struct redis_server_options o = {.extra = extra};
    struct stage s;
    struct thread endless;
    stage_open(&s, &o);
    for (int i = 0; i < WORKERS; i++)
        (void)stage_worker(&s, i, (struct role){.threads = THREADS});
    /* They end while Redis is busy, one way or the other. */
    oracle_push_many(&s.oracle, "default", gated(&s, "end", ""), RUNNING / 2);
    oracle_push_many(&s.oracle, "default", gated(&s, "end", ",\"outcome\":\"fail\""), RUNNING / 2);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == RUNNING);
    ck_assert_int_eq(thread_start(&endless, "endless", run_for_ever, &s.server), 0);
    wait_until(DRAIN_MS, is_busy(&s));
    int64_t busy_ns = clock_now_ns();
    open_gate(&s, "end");
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == RUNNING);
    while (ms_since(busy_ns) < BUSY_MS)
        hold_ms(100);
    int64_t busy_ms = ms_since(busy_ns);
    must_do(s.redis, "SCRIPT KILL");
    int64_t back_ns = clock_now_ns();
    thread_join(&endless);
    oracle_push_many(&s.oracle, "default", "", WAITING);
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == RUNNING + WAITING);
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == RUNNING + WAITING);
    int64_t took_ms = ms_since(back_ns);

    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "BUSY", 0);
    int64_t refused = info(&s, "errorstats", "errorstat_BUSY:count");
    int said = 0;
    for (int i = 0; i < WORKERS; i++) {
        ck_assert(worker_process_said(&s.worker[i], "BUSY"));
        ck_assert(!worker_process_said(&s.worker[i], "a worker is dead"));
        said += worker_process_count(&s.worker[i], "BUSY");
    }
    ck_assert_int_gt(busy_ms, LEASE_S * 1000);
    /* Each job has failed when its handler said so, and never besides: one try each. */
    ck_assert_int_eq(stat_of(&s, "stat:failed"), RUNNING / 2);
    ck_assert_int_eq(must_int(s.redis, "ZCARD retry"), RUNNING / 2);
    ck_assert_int_eq(must_int(s.redis, "ZCARD dead"), 0);
    ck_assert_uint_eq(f.executions, RUNNING + WAITING);
    ck_assert_int_le(took_ms, SLOW * (BACK_MS + SPARE_MS));
    for (int i = 0; i < WORKERS; i++)
        must_stop(&s.worker[i]);
    check_books_are_empty(&s);
    matrix_report(&(struct matrix_entry){
        .row = 19,
        .fault = matrix_text("EVAL without end for %.1f s (lease %d s), then SCRIPT KILL",
                             (double)busy_ms / 1000, LEASE_S),
        .bit = matrix_text("%lld BUSY replies, %d of them in the workers' logs", (long long)refused,
                           said),
        .figures = &f,
        .took = "all settled, and new jobs run",
        .took_ms = took_ms,
        .bound_ms = SLOW * (BACK_MS + SPARE_MS),
        .result = "no try consumed; nobody taken for dead"});
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("busy");
    stage_add(suite, a_busy_redis_is_waited_for, 1);
    return suite;
}
