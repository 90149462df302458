/*
 * The oracle itself: it passes what is right, and it catches a worker that loses jobs (rows 1, 2
 * and 7), one that runs what nobody pushed, and one that runs a job twice.
 */
#include "stage.h"
#include "support/broken_worker.h"
#include "support/proxy.h"

static pid_t start_broken_worker(struct stage *s, int64_t job_ms)
{
    return broken_worker_start(s->server.url, s->oracle.log, job_ms);
}

/* Row 1: killed in the middle of its job. */
START_TEST(it_catches_a_job_lost_by_a_kill)
{
    struct stage s;
    stage_open(&s, NULL);
    pid_t pid = start_broken_worker(&s, 60000);
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == 1);
    broken_worker_kill(pid);
    pid = start_broken_worker(&s, 0);
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == 1);
    ck_assert(!oracle_drain(&s.oracle, 200));
    struct oracle_figures f = oracle_figures(&s.oracle);
    ck_assert_uint_eq(f.acked, 2);
    ck_assert_uint_eq(f.lost, 1);
    broken_worker_kill(pid);
    stage_close(&s);
}
END_TEST

/* Rows 2 and 3: killed at random instants under a stream of short jobs. */
START_TEST(it_catches_jobs_lost_by_random_kills)
{
    enum { ROUNDS = 20 };
    struct stage s;
    stage_open(&s, NULL);
    srand(seed("broken worker"));
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pid = start_broken_worker(&s, 2);
        oracle_push_many(&s.oracle, "default", "", 20);
        hold_ms(5 + rand() % 30);
        broken_worker_kill(pid);
    }
    pid_t pid = start_broken_worker(&s, 0);
    wait_until(DRAIN_MS, must_int(s.redis, "LLEN queue:default") == 0 &&
                             info(&s, "clients", "blocked_clients") == 1);
    ck_assert(!oracle_drain(&s.oracle, 200));
    struct oracle_figures f = oracle_figures(&s.oracle);
    (void)printf("the broken worker lost %zu of %zu jobs\n", f.lost, f.acked);
    ck_assert_uint_gt(f.lost, 0);
    broken_worker_kill(pid);
    stage_close(&s);
}
END_TEST

/* Row 7: the reply that carries the job is lost on the way. */
START_TEST(it_catches_a_job_lost_with_a_reply)
{
    struct stage s;
    struct proxy proxy;
    stage_open(&s, NULL);
    ck_assert_int_eq(proxy_start(&proxy, s.server.socket, NULL), 0);
    char url[64];
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    proxy_trap(&proxy, "BRPOP", PROXY_CUT, 0);
    pid_t pid = broken_worker_start(url, s.oracle.log, 0);
    wait_until(DRAIN_MS, proxy_stats(&proxy).trapped == 1);
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, proxy_stats(&proxy).cuts == 1);
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == 1);
    ck_assert(!oracle_drain(&s.oracle, 200));
    ck_assert_uint_eq(oracle_figures(&s.oracle).lost, 1);
    broken_worker_kill(pid);
    proxy_stop(&proxy);
    stage_close(&s);
}
END_TEST

START_TEST(it_counts_what_was_not_pushed_and_what_ran_twice)
{
    struct stage s;
    char jid[ORACLE_JID + 1];
    stage_open(&s, NULL);
    ck_assert(oracle_push(&s.oracle, "default", ""));
    free(oracle_payload(&s.oracle, "default", "", jid)); /* made and never acknowledged */
    broken_worker_note(s.oracle.log, "0123456789abcdef01234567", "start");
    broken_worker_note(s.oracle.log, jid, "start");
    broken_worker_note(s.oracle.log, jid, "start");
    broken_worker_note(s.oracle.log, jid, "end");
    must_do(s.redis, "ZADD retry 1 {\"jid\":\"%s%08x\"}", s.oracle.salt, 0);
    struct oracle_figures f = oracle_figures(&s.oracle);
    ck_assert_uint_eq(f.acked, 1);
    ck_assert_uint_eq(f.kept, 1);
    ck_assert_uint_eq(f.lost, 0);
    ck_assert_uint_eq(f.executions, 2);
    ck_assert_uint_eq(f.ended, 1);
    ck_assert_uint_eq(f.unexpected, 1);
    ck_assert_uint_eq(f.duplicates, 1);
    must_do(s.redis, "DEL retry");
    ck_assert_uint_eq(oracle_figures(&s.oracle).lost, 1);
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("oracle");
    stage_add(suite, it_catches_a_job_lost_by_a_kill, 1);
    stage_add(suite, it_catches_jobs_lost_by_random_kills, 1);
    stage_add(suite, it_catches_a_job_lost_with_a_reply, 1);
    stage_add(suite, it_counts_what_was_not_pushed_and_what_ran_twice, 1);
    return suite;
}
