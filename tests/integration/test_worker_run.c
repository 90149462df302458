/* The worker against a real server: a job that is pushed runs once, and what is recorded of it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/redis_fixture.h"
#include "support/worker_process.h"

enum { HANG_MS = 60000, MANY = 2000 };

static struct redis_server server;
static struct redis_conn *redis;
static struct worker_process worker;

static void set_up(void)
{
    must_start(&server, NULL);
    struct redis_options to = server_options(&server);
    redis = must_open(&to);
}

static void tear_down(void)
{
    worker_process_free(&worker);
    redis_conn_free(redis);
    redis_server_free(&server);
}

static const char settings[] = "worker: {threads: 8, queues: [default, other]}\n"
                               "handlers:\n" TEST_HANDLER
                               "  - {class: tracked, track: true, plugin: \"" TEST_PLUGIN "\"}\n";

static void start_worker(void)
{
    worker_process_start(&worker, &server, &(struct worker_options){.settings = settings});
}

static void push(const char *text)
{
    must_push(redis, "queue:default", slice_of(text));
}

static bool field_is(const char *jid, const char *field, const char *value)
{
    return answers_with(redis, value, "HGET sluice:job:%s %s", jid, field);
}

START_TEST(bare_job_runs)
{
    start_worker();
    push("{\"class\":\"test\",\"args\":[{}]}");
    wait_until(HANG_MS, answers_with(redis, "1", "GET stat:processed"));
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS stat:failed retry dead"), 0);
}
END_TEST

START_TEST(tracked_job_is_recorded)
{
    start_worker();
    push("{\"class\":\"tracked\",\"jid\":\"0123456789abcdef01234567\","
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
    start_worker();
    push("{\"class\":\"test\",\"jid\":\"abc\",\"track\":true,\"args\":[{}]}");
    wait_until(HANG_MS, field_is("abc", "state", "completed"));
    ck_assert(field_is("abc", "result", "null"));
    push("{\"class\":\"test\",\"jid\":\"def\",\"args\":[{}]}");
    wait_until(HANG_MS, answers_with(redis, "2", "GET stat:processed"));
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:job:def"), 0);
}
END_TEST

START_TEST(jid_is_given_when_there_is_none)
{
    start_worker();
    push("{\"class\":\"test\",\"args\":[{\"outcome\":\"dead\"}]}");
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
    start_worker();
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
    start_worker();
    for (int i = 0; i < 40; i++)
        push("{\"class\":\"test\",\"args\":[{}]}");
    for (int i = 0; i < 5; i++)
        push("{\"class\":\"test\",\"args\":[{\"outcome\":\"fail\"}]}");
    for (int i = 0; i < 3; i++)
        push("{\"class\":\"test\",\"args\":[{\"outcome\":\"dead\"}]}");
    wait_until(HANG_MS, answers_with(redis, "48", "GET stat:processed"));
    ck_assert(answers_with(redis, "8", "GET stat:failed"));
    ck_assert_int_eq(must_int(redis, "ZCARD retry"), 5);
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 3);
    now = time(NULL);
    (void)strftime(after, sizeof after, "%Y-%m-%d", gmtime(&now));
    int64_t processed = 0, failed = 0;
    for (const char *day = before;; day = after) { /* the test may run across midnight */
        processed += must_int(redis, "GET stat:processed:%s", day);
        failed += must_int(redis, "GET stat:failed:%s", day);
        if (day == after || strcmp(before, after) == 0)
            break;
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
        push(job);
    }
    start_worker();
    (void)snprintf(job, sizeof job, "%d", MANY);
    wait_until(HANG_MS, answers_with(redis, job, "GET stat:processed"));
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead queue:default"), 0);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    (void)snprintf(job, sizeof job, "%s/ran", server.dir);
    log = read_whole(job);
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
    TCase *tc = tcase_create("run");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, bare_job_runs);
    tcase_add_test(tc, tracked_job_is_recorded);
    tcase_add_test(tc, job_can_ask_to_be_tracked);
    tcase_add_test(tc, jid_is_given_when_there_is_none);
    tcase_add_test(tc, queues_are_announced);
    tcase_add_test(tc, figures_are_exact);
    tcase_add_test(tc, many_jobs_run_once_each);
    suite_add_tcase(suite, tc);
    return suite;
}
