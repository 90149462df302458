/*
 * The worker dies without a word (rows 1, 2 and 3 of the fault matrix, and its ghosts: row 8).
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proxy.h"

/* Row 1. All of its jobs run somewhere else, within a lease and a sweep. */
START_TEST(a_killed_worker_is_recovered)
{
    enum { JOBS = 100 };
    struct stage s;
    stage_open(&s, NULL);
    struct worker_process *doomed = stage_worker(&s, 0, (struct role){.threads = JOBS});
    char args[32]; /* longer than the second worker needs to start */
    (void)snprintf(args, sizeof args, "\"sleep_ms\":%d", SLOW * 1500);
    oracle_push_many(&s.oracle, "default", args, JOBS);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == JOBS);
    (void)stage_worker(&s, 1, (struct role){.threads = JOBS});
    hold_ms(300); /* into the middle of the jobs */
    ck_assert_uint_eq(oracle_ended(&s.oracle), 0);
    worker_process_kill(doomed);
    int64_t killed_ns = clock_now_ns();
    ck_assert_int_eq(doomed->status, 128 + SIGKILL);
    ck_assert_uint_eq(count_claimed(&s), JOBS);

    wait_until(DRAIN_MS, oracle_started(&s.oracle) == 2 * JOBS);
    int64_t took_ms = ms_since(killed_ns);
    int64_t bound_ms = SLOW * (LEASE_S * 1000 + SWEEP_MS + 2 * TICK_MS);
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "killed with 100 jobs running", JOBS);
    ck_assert_int_le(took_ms, bound_ms);
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    ck_assert_int_eq(stat_of(&s, "stat:processed"), JOBS);
    matrix_report(&(struct matrix_entry){.row = 1,
                                         .fault = "kill -9 of a worker with 100 jobs running",
                                         .bit = "100 jobs were claimed by the dead",
                                         .figures = &f,
                                         .max_duplicates = JOBS,
                                         .took = "all of them run elsewhere",
                                         .took_ms = took_ms,
                                         .bound_ms = bound_ms});
    stage_close(&s);
}
END_TEST

/* Rows 2 and 3: kills at random instants of fetch, run and ack, under a stream of short jobs. */
START_TEST(random_kills_lose_nothing)
{
    enum { ROUNDS = SLOW > 1 ? 8 : 20, JOBS = 60, WAITING_MAX = 1000 };
    struct stage s;
    size_t claimed = 0;
    stage_open(&s, NULL);
    srand(seed("random kills"));
    (void)stage_worker(&s, 1, (struct role){.threads = 4}); /* the survivor */
    for (int round = 0; round < ROUNDS; round++) {
        struct worker_process *doomed = stage_worker(&s, 0, (struct role){.threads = 20});
        int64_t until_ns = clock_deadline_ms(rand() % 40);
        do /* as many as it takes to keep them busy: the survivor has to do all that is left */
            if (must_int(s.redis, "LLEN queue:default") < WAITING_MAX)
                oracle_push_many(&s.oracle, "default", rand() % 2 ? "" : "\"sleep_ms\":5", JOBS);
        while (clock_now_ns() < until_ns);
        worker_process_kill(doomed);
        ck_assert_int_eq(doomed->status, 128 + SIGKILL);
        claimed += count_claimed(&s);
    }
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "random kills", claimed);
    wait_until(DRAIN_MS, must_int(s.redis, "SCARD sluice:workers") == 1);
    wait_until(DRAIN_MS, nothing_is_left(&s)); /* what came back and had ended before */
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 3,
        .fault = matrix_text("kill -9 at %d random instants under a stream of short jobs", ROUNDS),
        .bit = matrix_text("%zu jobs were claimed by the dead", claimed),
        .figures = &f,
        .max_duplicates = claimed});
}
END_TEST

/* Payloads may be equal to the byte; one death must not count as many. */
START_TEST(equal_payloads_are_not_taken_for_one_poison_pill)
{
    enum { JOBS = 8 };
    struct stage s;
    char jid[ORACLE_JID + 1];
    stage_open(&s, NULL);
    (void)stage_worker(&s, 0, (struct role){0});
    char *payload = oracle_payload(&s.oracle, "default", "\"sleep_ms\":1000", jid);
    for (int i = 0; i < JOBS; i++)
        must_do(s.redis, "LPUSH queue:default %s", payload);
    oracle_ack(&s.oracle, 1);
    wait_until(DRAIN_MS, oracle_started(&s.oracle) == JOBS);
    worker_process_kill(&s.worker[0]);
    ck_assert_uint_eq(count_claimed(&s), JOBS);
    (void)stage_worker(&s, 1, (struct role){0});
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == JOBS);
    ck_assert_int_eq(must_int(s.redis, "ZCARD dead"), 0);
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    free(payload);
    stage_close(&s);
}
END_TEST

/* Row 8. The network keeps the dead worker's connections up: its wait takes the next job. */
START_TEST(what_a_ghost_takes_is_recovered)
{
    struct stage s;
    struct proxy proxy;
    char url[64];
    stage_open(&s, NULL);
    ck_assert_int_eq(proxy_start(&proxy, s.server.socket, NULL), 0);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    struct worker_process *doomed = stage_worker(&s, 0, (struct role){.url = url});
    wait_until(DRAIN_MS, info(&s, "clients", "blocked_clients") == 1);
    proxy_hold(&proxy, true);
    worker_process_kill(doomed);
    wait_until(DRAIN_MS, proxy_stats(&proxy).held > 0);

    int64_t pushed_ns = clock_now_ns();
    ck_assert(oracle_push(&s.oracle, "default", ""));
    bool taken = count_claimed(&s) == 1;
    ck_assert_int_eq(must_int(s.redis, "LLEN queue:default"), taken ? 0 : 1);
    ck_assert_msg(taken, "the ghost was too short-lived: the fault did not happen");
    (void)stage_worker(&s, 1, (struct role){0});
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    int64_t took_ms = ms_since(pushed_ns);
    struct oracle_figures f = oracle_check(&s.oracle, "ghost of a blocked client", 0);
    must_stop(&s.worker[1]);
    check_books_are_empty(&s);
    proxy_stop(&proxy);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 8,
        .fault = "kill -9 of a worker whose connections the network holds open",
        .bit = "the dead worker's wait took the job",
        .figures = &f,
        .took = "job delayed",
        .took_ms = took_ms});
}
END_TEST

/* The same while the worker lives: it loses its wait without the server's knowledge, may not end
 * that at the server, and stops. Then its name must stay in the books. */
START_TEST(a_ghost_that_outlives_an_orderly_stop_loses_nothing)
{
    enum { ROUNDS = 4 };
    struct stage s;
    struct proxy proxy;
    char url[64];
    size_t taken = 0;
    stage_open(&s, NULL);
    ck_assert_int_eq(proxy_start(&proxy, s.server.socket, NULL), 0);
    must_do(s.redis, "ACL SETUSER w on >pw ~* &* +@all -client|kill -client|list");
    (void)snprintf(url, sizeof url, "redis://w:pw@127.0.0.1:%d", proxy.port);
    for (int round = 0; round < ROUNDS; round++) {
        proxy_hold(&proxy, false);
        struct role role = {.url = url, .lease_s = 2 * LEASE_S};
        struct worker_process *w = stage_worker(&s, 0, role);
        wait_until(DRAIN_MS, info(&s, "clients", "blocked_clients") == 1);
        proxy_hold(&proxy, true);
        worker_process_signal(w, SIGSTOP);
        proxy_drop_all(&proxy); /* the workers' side only: the servers' side is held */
        wait_until(DRAIN_MS, proxy_stats(&proxy).held > 0);
        worker_process_signal(w, SIGTERM);
        worker_process_signal(w, SIGCONT);
        ck_assert_int_eq(worker_process_wait(w, DRAIN_MS), 0);
        ck_assert(oracle_push(&s.oracle, "default", ""));
        taken += must_int(s.redis, "LLEN queue:default") == 0;
    }
    ck_assert_uint_gt(taken, 0);
    proxy_hold(&proxy, false);
    (void)stage_worker(&s, 1, (struct role){0});
    ck_assert(oracle_drain(&s.oracle, SLOW * 20000));
    struct oracle_figures f = oracle_check(&s.oracle, "ghost after a stop", 0);
    must_stop(&s.worker[1]);
    proxy_stop(&proxy);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 8,
        .fault = "a worker stops in order, and its lost wait lives on at the server",
        .bit = matrix_text("%zu of %d jobs were taken by it", taken, ROUNDS),
        .figures = &f});
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("kill");
    stage_add(suite, a_killed_worker_is_recovered, 1);
    stage_add(suite, random_kills_lose_nothing, 1);
    stage_add(suite, equal_payloads_are_not_taken_for_one_poison_pill, 1);
    stage_add(suite, what_a_ghost_takes_is_recovered, 1);
    stage_add(suite, a_ghost_that_outlives_an_orderly_stop_loses_nothing, 1);
    return suite;
}
