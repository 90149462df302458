/*
 * Redis itself fails: it dies, forgets, or has no memory left (rows 14, 16, 18 and 20).
 */
#include "stage.h"
#include "support/matrix.h"

/* Row 14. The process dies under load and comes back with its append-only file. With everysec Redis
 * itself may answer before it writes, for up to two seconds, while an fsync is under way; what a
 * kill takes then is not what this is about. */
START_TEST(a_killed_redis_loses_nothing)
{
    enum { ROUNDS = 3, BACK_MS = 10000 };
    const char *const policy[] = {"everysec", "always"};
    const char *const extra[] = {"--appendonly", "yes", "--appendfsync", policy[_i], NULL};
    struct redis_server_options o = {.extra = extra};
    struct stage s;
    int64_t slowest_ms = 0;
    stage_open(&s, &o);
    srand(seed("killed Redis"));
    for (int i = 0; i < 2; i++)
        (void)stage_worker(&s, i, (struct role){.threads = 10});
    for (int round = 0; round < ROUNDS; round++) {
        /* Jobs that are running at the kill, jobs that come and go, and jobs that wait. */
        int64_t until_ns = clock_deadline_ms(200 + rand() % 300);
        oracle_push_many(&s.oracle, "default", "\"sleep_ms\":600", 10);
        do
            (void)oracle_push(&s.oracle, "default", rand() % 2 ? "" : "\"sleep_ms\":10");
        while (clock_now_ns() < until_ns);
        wait_until(DRAIN_MS, info(&s, "persistence", "aof_pending_bio_fsync") == 0);
        redis_server_kill(&s.server);
        hold_ms(200 + rand() % 1000);
        must_restart(&s.server);
        int64_t back_ns = clock_now_ns();
        size_t before = oracle_ended(&s.oracle);
        wait_until(DRAIN_MS, oracle_push(&s.oracle, "default", ""));
        wait_until(DRAIN_MS, oracle_ended(&s.oracle) > before);
        slowest_ms = ms_since(back_ns) > slowest_ms ? ms_since(back_ns) : slowest_ms;
        stage_reconnect(&s);
    }
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    for (int i = 0; i < 2; i++) {
        ck_assert(!worker_process_ended(&s.worker[i]));
        ck_assert(worker_process_said(&s.worker[i], "could not renew the lease"));
    }
    ck_assert_int_le(slowest_ms, SLOW * BACK_MS);
    (void)printf("appendfsync %s: ", policy[_i]);
    struct oracle_figures f = oracle_check(&s.oracle, "Redis killed 3 times", 0);
    wait_until(DRAIN_MS, count_claimed(&s) == 0);
    for (int i = 0; i < 2; i++)
        must_stop(&s.worker[i]);
    check_books_are_empty(&s);
    matrix_report(&(struct matrix_entry){
        .row = 14,
        .fault = matrix_text("kill -9 of Redis under load, %d times, appendfsync %s", ROUNDS,
                             policy[_i]),
        .bit = "the workers could not renew their leases",
        .figures = &f,
        .took = "a new job ends after a restart, at most",
        .took_ms = slowest_ms,
        .bound_ms = SLOW * BACK_MS});
    stage_close(&s);
}
END_TEST

/* Row 14, the way back: the longer the outage, the further apart the workers return. Whoever is
 * first must not take the others for dead. */
START_TEST(an_outage_is_no_death_of_workers)
{
    enum { WORKERS = 4, THREADS = 2, OUTAGE_MS = 3000 };
    static const char *const extra[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    struct redis_server_options o = {.extra = extra};
    struct stage s;
    stage_open(&s, &o);
    for (int i = 0; i < WORKERS; i++)
        (void)stage_worker(&s, i, (struct role){.threads = THREADS, .lease_s = 1});
    char args[32]; /* until every worker has had its chance */
    (void)snprintf(args, sizeof args, "\"sleep_ms\":%d", OUTAGE_MS + CALM_MS + 4000);
    oracle_push_many(&s.oracle, "default", args, WORKERS * THREADS);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == WORKERS * THREADS);
    redis_server_kill(&s.server);
    hold_ms(OUTAGE_MS);
    must_restart(&s.server);
    stage_reconnect(&s);
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    for (int i = 0; i < WORKERS; i++)
        ck_assert(!worker_process_said(&s.worker[i], "a worker is dead"));
    (void)oracle_check(&s.oracle, "outage of 3 leases", 0);
    for (int i = 0; i < WORKERS; i++)
        must_stop(&s.worker[i]);
    check_books_are_empty(&s);
    stage_close(&s);
}
END_TEST

/* Row 14: while the file is read, Redis says LOADING. */
START_TEST(a_loading_redis_is_waited_for)
{
    static const char *const extra[] = {
        "--appendonly", "yes", "--enable-debug-command", "yes", "--key-load-delay", "2000", NULL};
    enum { KEYS = 1500 }; /* 2 ms each */
    struct redis_server_options o = {.extra = extra};
    struct stage s;
    stage_open(&s, &o);
    (void)stage_worker(&s, 0, (struct role){0});
    for (int i = 0; i < KEYS; i++)
        must_do(s.redis, "SET k%d 1", i);
    must_do(s.redis, "DEBUG SET-ACTIVE-EXPIRE 1");
    must_do(s.redis, "BGREWRITEAOF");
    wait_until(DRAIN_MS, info(&s, "persistence", "aof_rewrite_in_progress") == 0 &&
                             info(&s, "persistence", "aof_rewrite_scheduled") == 0);
    redis_server_kill(&s.server);
    must_restart(&s.server);
    wait_until(DRAIN_MS, oracle_push(&s.oracle, "default", ""));
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    ck_assert_msg(worker_process_said(&s.worker[0], "LOADING") ||
                      worker_process_said(&s.worker[0], "loading"),
                  "it was never seen loading: the fault did not happen");
    (void)oracle_check(&s.oracle, "Redis loading", 0);
    must_stop(&s.worker[0]);
    stage_close(&s);
}
END_TEST

/* Row 16. The data is gone: jobs that wait with it, as expected; those that run end in silence. */
START_TEST(wiped_data_is_survived)
{
    enum { RUNNING = 10 };
    struct stage s;
    stage_open(&s, NULL);
    struct worker_process *w = stage_worker(&s, 0, (struct role){.threads = RUNNING + 5});
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":1500", RUNNING);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == RUNNING);
    int64_t wiped_ns = clock_now_ns();
    must_do(s.redis, "FLUSHALL");
    wait_until(DRAIN_MS, count_keys(&s, "sluice:lease:*") == 1 &&
                             must_int(s.redis, "SCARD sluice:workers") == 1);
    int64_t back_ms = ms_since(wiped_ns), bound_ms = SLOW * LEASE_S * 1000 / 2;
    ck_assert_int_le(back_ms, bound_ms);
    ck_assert(oracle_push(&s.oracle, "default", ""));
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    wait_until(DRAIN_MS, worker_process_count(w, "no longer ours") == RUNNING);
    struct oracle_figures f = oracle_check(&s.oracle, "FLUSHALL", 0);
    ck_assert_int_eq(stat_of(&s, "stat:processed"), 1);
    must_stop(w);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 16,
        .fault = "FLUSHALL with jobs running",
        .bit = matrix_text("%d jobs found that they are no longer ours", RUNNING),
        .figures = &f,
        .took = "registered again",
        .took_ms = back_ms,
        .bound_ms = bound_ms,
        .result = "the running end and write nothing; the next job runs"});
}
END_TEST

/* Row 18. */
START_TEST(forgotten_scripts_are_sent_again)
{
    enum { FLUSHES = 60, EVERY_MS = 50, BACKLOG = 200 };
    struct stage s;
    stage_open(&s, NULL);
    for (int i = 0; i < 2; i++)
        (void)stage_worker(&s, i, (struct role){.threads = 8});
    for (int i = 0; i < FLUSHES; i++) {
        int64_t next_ns = clock_deadline_ms(EVERY_MS);
        must_do(s.redis, "SCRIPT FLUSH");
        do {
            if (must_int(s.redis, "LLEN queue:default") > BACKLOG) {
                (void)usleep(1000); /* on a busy machine the drain would last for minutes */
                continue;
            }
            ck_assert(oracle_push(&s.oracle, "default", ""));
            ck_assert(oracle_push(&s.oracle, "default", "\"sleep_ms\":2"));
        } while (clock_now_ns() < next_ns);
    }
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "SCRIPT FLUSH every 50 ms", 0);
    int64_t loads = info(&s, "commandstats", "cmdstat_eval:calls");
    ck_assert_int_gt(loads, FLUSHES / 2);
    for (int i = 0; i < 2; i++)
        must_stop(&s.worker[i]);
    check_books_are_empty(&s);
    ck_assert_int_eq(stat_of(&s, "stat:processed"), (int64_t)s.oracle.njobs);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 18,
        .fault = matrix_text("SCRIPT FLUSH every %d ms, %d times", EVERY_MS, FLUSHES),
        .bit = matrix_text("scripts were sent %lld times", (long long)loads),
        .figures = &f,
        .result = "each job counted once"});
}
END_TEST

/* Row 20. Without memory jobs still end, as that frees some; nothing new is begun, and nobody is
 * taken for dead. */
START_TEST(a_full_redis_lets_jobs_end)
{
    enum { RUNNING = 6, WAITING = 20 };
    struct stage s;
    stage_open(&s, NULL);
    for (int i = 0; i < 2; i++)
        (void)stage_worker(&s, i, (struct role){.threads = RUNNING / 2});
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":1500", RUNNING / 2);
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":1500,\"outcome\":\"fail\"", RUNNING / 2);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == RUNNING);
    oracle_push_many(&s.oracle, "default", "", WAITING);
    must_do(s.redis, "CONFIG SET maxmemory 1");
    ck_assert(!oracle_push(&s.oracle, "default", "")); /* it did happen */

    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") >= RUNNING);
    ck_assert_int_eq(must_int(s.redis, "ZCARD retry"), RUNNING / 2);
    hold_ms(2 * LEASE_S * 1000); /* longer than a lease */
    ck_assert_uint_eq(oracle_ended(&s.oracle), RUNNING);
    ck_assert_int_eq(must_int(s.redis, "LLEN queue:default"), WAITING);
    ck_assert_uint_eq(count_keys(&s, "sluice:lease:*"), 2);
    for (int i = 0; i < 2; i++)
        ck_assert(!worker_process_said(&s.worker[i], "lease had lapsed"));

    must_do(s.redis, "CONFIG SET maxmemory 0");
    int64_t back_ns = clock_now_ns();
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == RUNNING + WAITING);
    int64_t took_ms = ms_since(back_ns), bound_ms = SLOW * 6000;
    ck_assert_int_le(took_ms, bound_ms);
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "out of memory", 0);
    for (int i = 0; i < 2; i++)
        must_stop(&s.worker[i]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(
        &(struct matrix_entry){.row = 20,
                               .fault = "maxmemory 1 for longer than a lease",
                               .bit = "a push was refused",
                               .figures = &f,
                               .took = "waiting jobs done when it ended",
                               .took_ms = took_ms,
                               .bound_ms = bound_ms,
                               .result = "running jobs ended meanwhile, failed ones too"});
}
END_TEST

/* Rows 20 and 1 at once: recovery moves jobs, so it needs no memory either. */
START_TEST(a_full_redis_lets_jobs_be_recovered)
{
    enum { JOBS = 5 };
    struct stage s;
    stage_open(&s, NULL);
    (void)stage_worker(&s, 0, (struct role){0});
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":2000", JOBS);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == JOBS);
    (void)stage_worker(&s, 1, (struct role){0});
    must_do(s.redis, "CONFIG SET maxmemory 1");
    worker_process_kill(&s.worker[0]);
    wait_until(DRAIN_MS, must_int(s.redis, "LLEN queue:default") == JOBS);
    must_do(s.redis, "CONFIG SET maxmemory 0");
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "killed while out of memory", JOBS);
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){.row = 20,
                                         .fault = "kill -9 of a worker while memory is full",
                                         .bit = "its jobs were running",
                                         .figures = &f,
                                         .max_duplicates = JOBS,
                                         .result = "recovered before memory came back"});
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("server");
    stage_add(suite, a_killed_redis_loses_nothing, 2);
    stage_add(suite, an_outage_is_no_death_of_workers, 1);
    stage_add(suite, a_loading_redis_is_waited_for, 1);
    stage_add(suite, wiped_data_is_survived, 1);
    stage_add(suite, forgotten_scripts_are_sent_again, 1);
    stage_add(suite, a_full_redis_lets_jobs_end, 1);
    stage_add(suite, a_full_redis_lets_jobs_be_recovered, 1);
    return suite;
}
