/* The worker against a real server: a job that is pushed runs once, and what is recorded of it. */
#include <ctype.h>
#include <time.h>

#include "test_worker.h"

enum { MANY = 2000 };

static const char settings[] =
    "worker: {threads: 8, queues: [default, other]}\n"
    "handlers:\n" TEST_HANDLER "  - {class: tracked, track: true, plugin: \"" TEST_PLUGIN "\"}\n";

static bool field_is(const char *jid, const char *field, const char *value)
{
    return answers_with(redis, value, "HGET sluice:job:%s %s", jid, field);
}

START_TEST(bare_job_runs)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"args\":[{}]}");
    wait_processed(1);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS stat:failed retry dead"), 0);
}
END_TEST

START_TEST(tracked_job_is_recorded)
{
    start_worker(settings);
    push("default", "{\"class\":\"tracked\",\"jid\":\"0123456789abcdef01234567\","
                    "\"args\":[{\"result\":{\"big\":[1,{}]}}]}");
    const char *jid = "0123456789abcdef01234567";
    wait_until(HANG_MS, field_is(jid, "state", "completed"));
    ck_assert(field_is(jid, "result", "{\"big\":[1,{}]}"));
    ck_assert(field_is(jid, "class", "tracked"));
    ck_assert(field_is(jid, "queue", "default"));
    ck_assert(field_is(jid, "attempt", "1"));
    ck_assert(field_is(jid, "worker", worker.identity));
    char *started = must_text(redis, "HGET sluice:job:%s started_at", jid);
    char *finished = must_text(redis, "HGET sluice:job:%s finished_at", jid);
    ck_assert_ptr_nonnull(started);
    ck_assert_ptr_nonnull(finished);
    ck_assert_double_le(strtod(started, NULL), strtod(finished, NULL));
    ck_assert_ptr_nonnull(strchr(started, '.'));
    free(started);
    free(finished);
    int64_t ttl = must_int(redis, "TTL sluice:job:%s", jid);
    ck_assert_int_gt(ttl, 86400 - 120);
    ck_assert_int_le(ttl, 86400);
}
END_TEST

START_TEST(job_can_ask_to_be_tracked)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"abc\",\"track\":true,\"args\":[{}]}");
    wait_until(HANG_MS, field_is("abc", "state", "completed"));
    ck_assert(field_is("abc", "result", "null"));
    push("default", "{\"class\":\"test\",\"jid\":\"def\",\"args\":[{}]}");
    wait_processed(2);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:job:def"), 0);
}
END_TEST

START_TEST(jid_is_given_when_there_is_none)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"args\":[{\"outcome\":\"dead\"}]}");
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 1);
    struct reply *dead = must_call(redis, "ZRANGE dead 0 -1");
    struct slice job = reply_str(reply_at(dead, 0));
    const char *jid = strstr(job.p, "\"jid\":\"");
    ck_assert_ptr_nonnull(jid);
    jid += strlen("\"jid\":\"");
    for (int i = 0; i < 24; i++)
        ck_assert(isdigit((unsigned char)jid[i]) || (jid[i] >= 'a' && jid[i] <= 'f'));
    ck_assert_int_eq(jid[24], '"');
    reply_free(dead);
}
END_TEST

START_TEST(queues_are_announced)
{
    start_worker(settings);
    wait_until(HANG_MS, must_int(redis, "SCARD queues") == 2);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues default"), 1);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues other"), 1);
}
END_TEST

START_TEST(figures_are_exact)
{
    char before[16], after[16];
    time_t now = time(NULL);
    (void)strftime(before, sizeof before, "%Y-%m-%d", gmtime(&now));
    start_worker(settings);
    for (int i = 0; i < 40; i++)
        push("default", "{\"class\":\"test\",\"args\":[{}]}");
    for (int i = 0; i < 5; i++)
        push("default", "{\"class\":\"test\",\"args\":[{\"outcome\":\"fail\"}]}");
    for (int i = 0; i < 3; i++)
        push("default", "{\"class\":\"test\",\"args\":[{\"outcome\":\"dead\"}]}");
    wait_processed(48);
    ck_assert(answers_with(redis, "8", "GET stat:failed"));
    ck_assert_int_eq(must_int(redis, "ZCARD retry"), 5);
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 3);
    now = time(NULL);
    (void)strftime(after, sizeof after, "%Y-%m-%d", gmtime(&now));
    int64_t processed = must_int(redis, "GET stat:processed:%s", before);
    int64_t failed = must_int(redis, "GET stat:failed:%s", before);
    if (strcmp(before, after) != 0) { /* midnight has passed */
        processed += must_int(redis, "GET stat:processed:%s", after);
        failed += must_int(redis, "GET stat:failed:%s", after);
    }
    ck_assert_int_eq(processed, 48);
    ck_assert_int_eq(failed, 8);
    ck_assert_int_gt(must_int(redis, "TTL stat:processed:%s", after), 4 * 365 * 86400);
}
END_TEST

/* Each job's own log of starts and ends tells whether it ran once. */
START_TEST(many_jobs_run_once_each)
{
    char job[256], *log = NULL;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(job, sizeof job,
                       "{\"class\":\"test\",\"jid\":\"job-%d-\",\"args\":[{\"log\":\"ran\"}]}", i);
        push("default", job);
    }
    start_worker(settings);
    wait_processed(MANY);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead queue:default"), 0);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    log = worker_process_file(&worker, "ran");
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(job, sizeof job, "job-%d- 1 ", i);
        const char *start = strstr(log, job);
        ck_assert_ptr_nonnull(start);
        const char *end = strstr(start + 1, job);
        ck_assert_ptr_nonnull(end);
        ck_assert_ptr_null(strstr(end + 1, job));
    }
    free(log);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker runs jobs");
    TCase *tc = new_case(suite, "run");
    tcase_add_test(tc, bare_job_runs);
    tcase_add_test(tc, tracked_job_is_recorded);
    tcase_add_test(tc, job_can_ask_to_be_tracked);
    tcase_add_test(tc, jid_is_given_when_there_is_none);
    tcase_add_test(tc, queues_are_announced);
    tcase_add_test(tc, figures_are_exact);
    tcase_add_test(tc, many_jobs_run_once_each);
    return suite;
}
