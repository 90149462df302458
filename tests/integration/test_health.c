/* /metrics and /readyz: what they say of a worker, in every state of it. */
#include "test_health.h"

/* ---- figures ---- */

START_TEST(counts_are_exact)
{
    start();
    for (int i = 0; i < 7; i++)
        push_test("default", "done", "");
    for (int i = 0; i < 3; i++)
        push_test("critical", "fail", "");
    push_test("critical", "fail", ",\"retry\":false");
    push_test("critical", "dead", "");
    push_test("critical", "done", "");
    push("default", "{\"class\":\"no\\\"\\n such\",\"args\":[]}");
    push("default", "no job");
    push("default", "{\"class\":\"test\",\"args\":[],\"expires_at\":1.5}");
    wait_until(HANG_MS, scraped("sluice_jobs_unsettled") == 0 &&
                            must_int(redis, "GET stat:failed") >= 6 &&
                            must_int(redis, "GET stat:processed") >= 14);

    char *text = scrape();
    ck_assert_double_eq(must_value(text, PROCESSED("default", "test", "done")), 7);
    ck_assert_double_eq(must_value(text, PROCESSED("default", "test", "failed")), 0);
    ck_assert_double_eq(must_value(text, PROCESSED("critical", "test", "done")), 1);
    ck_assert_double_eq(must_value(text, PROCESSED("critical", "test", "failed")), 4);
    ck_assert_double_eq(must_value(text, PROCESSED("critical", "test", "dead")), 1);
    ck_assert_double_eq(must_value(text, PROCESSED("default", "no\\\"\\n such", "failed")), 1);
    ck_assert_double_eq(must_value(text, "sluice_jobs_malformed_total"), 1);
    ck_assert_double_eq(must_value(text, "sluice_jobs_expired_total"), 1);
    ck_assert_double_eq(must_value(text, "sluice_jobs_lost_total"), 0);
    ck_assert_double_eq(
        must_value(text, "sluice_job_duration_seconds_count{queue=\"default\",class=\"test\"}"), 7);
    /* Those that say when they were enqueued, two seconds ago or so. */
    const char *latency = "sluice_queue_latency_seconds_count{queue=\"critical\"}";
    ck_assert_double_eq(must_value(text, latency), 6);
    ck_assert_double_eq(must_value(text, "sluice_queue_latency_seconds_count{queue=\"default\"}"),
                        7);
    latency = "sluice_queue_latency_seconds_bucket{queue=\"default\",le=\"1.048576\"}";
    ck_assert_double_eq(must_value(text, latency), 0);
    free(text);
}
END_TEST

START_TEST(state_is_shown)
{
    start();
    char *text = scrape();
    ck_assert_double_eq(must_value(text, "sluice_build_info{version=\"" SLUICE_VERSION "\"}"), 1);
    ck_assert_double_eq(must_value(text, "sluice_threads"), 4);
    ck_assert_double_eq(must_value(text, "sluice_jobs_running"), 0);
    ck_assert_double_eq(must_value(text, "sluice_handler_processes{state=\"busy\"}"), 0);
    ck_assert_double_eq(must_value(text, "sluice_lease_held"), 1);
    ck_assert_double_eq(must_value(text, "sluice_lease_lapses_total"), 0);
    ck_assert_double_eq(must_value(text, "sluice_redis_permits{state=\"limit\"}"), 100);
    ck_assert_double_eq(must_value(text, "sluice_redis_connections{state=\"limit\"}"), 120);
    ck_assert_double_gt(must_value(text, "sluice_redis_connections{state=\"open\"}"), 0);
    ck_assert_double_eq(must_value(text, "sluice_redis_reconnects_total"), 0);
    ck_assert_double_eq(must_value(text, "sluice_redis_rides_total"), 0);
    ck_assert_double_gt(must_value(text, "process_resident_memory_bytes"), 1e5);
    ck_assert_double_gt(must_value(text, "process_start_time_seconds"), (double)time(NULL) - 300);
    ck_assert_double_le(must_value(text, "process_start_time_seconds"), (double)time(NULL) + 1);
    free(text);

    push("default", "{\"class\":\"nap\",\"args\":[]}");
    push("default", "{\"class\":\"test\",\"args\":[{\"emit\":3}]}");
    wait_until(HANG_MS, scraped("sluice_handler_processes{state=\"busy\"}") == 1);
    wait_until(HANG_MS, scraped("sluice_jobs_running") == 1);
    wait_until(HANG_MS, scraped("sluice_stream_events_total") == 3);
    ck_assert_double_gt(scraped("sluice_redis_op_seconds_count"), 0);
    ck_assert_double_gt(scraped("sluice_redis_permit_wait_seconds_count"), 0);
}
END_TEST

START_TEST(reconnects_are_counted)
{
    start();
    redis_conn_free(redis);
    redis_server_kill(&server);
    wait_until(HANG_MS, status_of("/readyz") == 503);
    ck_assert_int_eq(status_of("/livez"), 200);
    ck_assert_double_eq(scraped("sluice_lease_held"), 0);
    must_restart(&server);
    open_redis();
    wait_until(HANG_MS, status_of("/readyz") == 200);
    ck_assert_double_ge(scraped("sluice_redis_reconnects_total"), 1);
    ck_assert_double_ge(scraped("sluice_redis_connect_failures_total"), 1);
}
END_TEST

/* ---- readiness ---- */

START_TEST(ready_when_redis_is)
{
    redis_conn_free(redis);
    redis_server_stop(&server);
    spawn();
    wait_until(HANG_MS, status_of("/livez") == 200);
    must_answer("/readyz", 503,
                "{\"error\":{\"code\":\"not_leased\",\"message\":\"the lease is not held: Redis "
                "cannot be reached or is slow\"}}\n");
    free(scrape());
    must_restart(&server);
    open_redis();
    wait_until(HANG_MS, status_of("/readyz") == 200);
    must_answer("/readyz", 200, "{\"status\":\"ok\"}\n");
    must_answer("/livez", 200, "{\"status\":\"ok\"}\n");
}
END_TEST

START_TEST(not_ready_when_quiet)
{
    start();
    worker_process_signal(&worker, SIGTSTP);
    wait_until(HANG_MS, status_of("/readyz") == 503);
    must_answer("/readyz", 503,
                "{\"error\":{\"code\":\"quiet\",\"message\":\"no new jobs are taken\"}}\n");
    ck_assert_int_eq(status_of("/livez"), 200);
    worker_process_signal(&worker, SIGCONT);
    wait_until(HANG_MS, status_of("/readyz") == 200);
}
END_TEST

START_TEST(drain_is_seen)
{
    start();
    push("default", "{\"class\":\"test\",\"args\":[{\"sleep_ms\":3000,\"stubborn\":true}]}");
    wait_until(HANG_MS, scraped("sluice_jobs_running") == 1);
    worker_process_signal(&worker, SIGTERM);
    wait_until(HANG_MS, status_of("/readyz") == 503);
    must_answer("/readyz", 503,
                "{\"error\":{\"code\":\"stopping\",\"message\":\"the worker is stopping\"}}\n");
    ck_assert_int_eq(status_of("/livez"), 200);
    ck_assert_double_eq(scraped("sluice_jobs_running"), 1);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    ck_assert_int_eq(status_of("/livez"), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("health");
    TCase *tc = new_case(suite, "figures");
    tcase_add_test(tc, counts_are_exact);
    tcase_add_test(tc, state_is_shown);
    tcase_add_test(tc, reconnects_are_counted);
    tc = new_case(suite, "readiness");
    tcase_add_test(tc, ready_when_redis_is);
    tcase_add_test(tc, not_ready_when_quiet);
    tcase_add_test(tc, drain_is_seen);
    return suite;
}
