/* Due jobs: never early by Redis' clock, each exactly once, and complete when they arrive. */
#include "test_worker.h"

static const char settings[] =
    "worker: {threads: 4}\n"
    "handlers:\n" TEST_HANDLER "  - {class: any, exec: [sh, -c, \"cat >>seen; echo >>seen\"]}\n";

static void schedule(const char *set, double at, const char *job)
{
    char score[64];
    (void)snprintf(score, sizeof score, "%.6f", at);
    must_do(redis, "ZADD %s %s %s", set, score, job);
}

static double redis_now(void)
{
    struct reply *time = must_call(redis, "TIME");
    double now = reply_real(reply_at(time, 0)) + reply_real(reply_at(time, 1)) / 1e6;
    reply_free(time);
    return now;
}

START_TEST(past_jobs_run_at_once)
{
    schedule("schedule", 1, "{\"class\":\"test\",\"args\":[{}]}");
    schedule("retry", 1, "{\"class\":\"test\",\"retry_count\":0,\"args\":[{}]}");
    start_worker(settings);
    wait_processed(2);
    ck_assert_int_eq(must_int(redis, "EXISTS schedule retry dead"), 0);
}
END_TEST

/* At any instant as Redis sees it, whatever is due later than now is still in its set. */
START_TEST(future_jobs_are_not_early)
{
    enum { JOBS = 50 };
    static const char look[] = "local t = redis.call('TIME') "
                               "local now = string.format('%d.%06d', t[1], t[2]) "
                               "return {now, redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf'), "
                               "redis.call('ZCARD', KEYS[1])}";
    double due[JOBS];
    const char *set = _i == 0 ? "schedule" : "retry";
    start_worker(settings);
    double start = redis_now() + 0.2;
    for (int i = 0; i < JOBS; i++) {
        char job[128];
        due[i] = start + 0.1 * i;
        (void)snprintf(job, sizeof job, "{\"class\":\"test\",\"jid\":\"j%d\",\"args\":[{}]}", i);
        schedule(set, due[i], job);
    }
    int64_t left;
    int looks = 0;
    do {
        struct reply *seen = must_call(redis, "EVAL %s 1 %s", look, set);
        double now = reply_real(reply_at(seen, 0));
        int64_t later = 0;
        for (int i = 0; i < JOBS; i++)
            later += due[i] > now + 1e-5; /* scores have been rounded on their way */
        ck_assert_int_ge(reply_int(reply_at(seen, 1)), later);
        left = reply_int(reply_at(seen, 2));
        looks += left > 0 && left < JOBS;
        reply_free(seen);
        ck_assert_double_lt(now, start + HANG_MS / 1000.0);
    } while (left > 0);
    ck_assert_int_gt(looks, 0); /* else we have seen nothing */
    wait_processed(JOBS);
}
END_TEST

static double number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    ck_assert_msg(at != NULL, "%s has no %s", text, key);
    return strtod(at + strlen(key), NULL);
}

START_TEST(promotion_sets_the_time_and_keeps_the_rest)
{
    double before = redis_now();
    schedule("schedule", 1,
             "{\"class\":\"any\",\"jid\":\"one\",\"at\":7.5,\"x\":[1.10,{}],\"args\":[\"one\"]}");
    schedule("retry", 1,
             "{\"class\":\"any\",\"jid\":\"two\",\"enqueued_at\":5.5,\"retry_count\":0,"
             "\"failed_at\":6.5,\"queue\":\"default\",\"args\":[\"two\"]}");
    start_worker(settings);
    wait_processed(2);
    char *seen = worker_process_file(&worker, "seen");
    char *one = strstr(seen, "\"one\""), *two = strstr(seen, "\"two\"");
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_nonnull(two);
    ck_assert_ptr_null(strstr(seen, "\"at\""));
    ck_assert_ptr_nonnull(strstr(seen, "\"x\":[1.10,{}]"));
    ck_assert_ptr_nonnull(strstr(seen, "\"failed_at\":6.5"));
    ck_assert_ptr_nonnull(strstr(seen, "\"queue\":\"default\""));
    for (char *line = strtok(seen, "\n"); line; line = strtok(NULL, "\n")) {
        const char *time = strstr(line, "\"enqueued_at\":");
        ck_assert_double_ge(number_after(line, "\"enqueued_at\":"), before);
        ck_assert_double_le(number_after(line, "\"enqueued_at\":"), redis_now());
        ck_assert_int_eq(time[strlen("\"enqueued_at\":") + 10], '.'); /* never an integer */
    }
    free(seen);
}
END_TEST

START_TEST(queue_of_the_job_decides)
{
    schedule("schedule", 1, "{\"class\":\"test\",\"queue\":\"far\",\"args\":[{}]}");
    schedule("retry", 1,
             "{\"class\":\"test\",\"queue\":\"far\",\"retry_queue\":\"farther\","
             "\"retry_count\":0,\"args\":[{}]}");
    start_worker(settings);
    wait_until(HANG_MS, must_int(redis, "LLEN queue:far") == 1);
    wait_until(HANG_MS, must_int(redis, "LLEN queue:farther") == 1);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues far"), 1);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues farther"), 1);
}
END_TEST

START_TEST(entry_that_is_no_job_is_dead)
{
    schedule("schedule", 1, "not a job");
    schedule("schedule", 2, "{\"class\":\"test\",\"args\":[{}]}");
    schedule("retry", 1, "{\"class\":\"test\",\"args\":{}}");
    schedule("retry", 2, "{\"class\":\"test\",\"retry_count\":1,\"args\":[{}]}");
    start_worker(settings);
    wait_processed(2);
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 2);
    ck_assert(!answers_with(redis, NULL, "ZSCORE dead %s", "not a job"));
    ck_assert(!answers_with(redis, NULL, "ZSCORE dead %s", "{\"class\":\"test\",\"args\":{}}"));
    wait_said("entries that are no jobs were moved to dead");
}
END_TEST

START_TEST(two_workers_promote_each_entry_once)
{
    enum { ENTRIES = 1000 };
    char job[256], line[64];
    struct worker_process second = {0};
    double at = redis_now() + 1;
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(job, sizeof job,
                       "{\"class\":\"test\",\"jid\":\"j%d-\",\"args\":[{\"log\":\"ran\"}]}", i);
        schedule(i % 2 ? "schedule" : "retry", at, job);
    }
    start_worker(settings);
    worker_process_start(&second, &server, &(struct worker_options){.settings = settings});
    wait_processed(ENTRIES);
    ck_assert_int_eq(must_int(redis, "EXISTS schedule retry dead queue:default"), 0);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert_int_eq(worker_process_stop(&second), 0);
    ck_assert_int_eq(times_in_file("ran", " start\n"), ENTRIES);
    for (int i = 0; i < ENTRIES; i += 37) {
        (void)snprintf(line, sizeof line, "j%d- 1 ", i);
        ck_assert_int_eq(times_in_file("ran", line), 2); /* start and end */
    }
    worker_process_free(&second);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker and the schedule");
    TCase *tc = new_case(suite, "schedule");
    tcase_add_test(tc, past_jobs_run_at_once);
    tcase_add_loop_test(tc, future_jobs_are_not_early, 0, 2);
    tcase_add_test(tc, promotion_sets_the_time_and_keeps_the_rest);
    tcase_add_test(tc, queue_of_the_job_decides);
    tcase_add_test(tc, entry_that_is_no_job_is_dead);
    tcase_add_test(tc, two_workers_promote_each_entry_once);
    return suite;
}
