/* Http handlers under a real worker: streams, results, Retry-After, cancel, and a service that is
 * away for a while. */
#include "support/sluice.h"
#include "support/webhook.h"
#include "test_worker.h"

static struct webhook webhook;

static void start_webhook(void)
{
    webhook_start(&webhook);
}

static void stop_webhook(void)
{
    webhook_stop(&webhook);
}

static void start_with(const char *answer, const char *more)
{
    char settings[512];
    webhook_answers(&webhook, answer);
    (void)snprintf(settings, sizeof settings,
                   "worker: {threads: 4, shutdown_timeout: 1}\n"
                   "handlers:\n  - {class: hook, http: \"%s\", track: true%s}\n",
                   webhook.url, more);
    start_worker(settings);
}

static void push_hook(const char *jid)
{
    char job[128];
    (void)snprintf(job, sizeof job, "{\"class\":\"hook\",\"jid\":\"%s\",\"args\":[1.10]}", jid);
    push("default", job);
}

static bool field_is(const char *jid, const char *field, const char *value)
{
    return answers_with(redis, value, "HGET sluice:job:%s %s", jid, field);
}

START_TEST(an_answer_is_the_result)
{
    start_with("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"n\": 1.10}", "");
    push_hook("a");
    wait_until(HANG_MS, field_is("a", "state", "completed"));
    ck_assert(field_is("a", "result", "{\"n\": 1.10}"));
    struct buf request = webhook_request(&webhook);
    ck_assert_ptr_nonnull(strstr(buf_str(&request), "\"args\":[1.10]"));
    buf_release(&request);
}
END_TEST

START_TEST(a_streamed_answer_is_seen_while_it_comes)
{
    start_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"p\":0.5}\n\n",
               "");
    push_hook("s");
    wait_until(HANG_MS, answers_with(redis, "{\"p\":0.5}", "LINDEX sluice:stream:s 0"));
    ck_assert(field_is("s", "state", "running"));
    struct sluice r = sluice(server.url, NULL, "cancel", "s", "--wait", "60");
    ck_assert_msg(r.status == 0, "%s", r.err);
    sluice_free(&r);
    ck_assert(field_is("s", "state", "stopped"));
    ck_assert(answers_with(redis, "{\"type\":\"status\",\"status\":\"stopped\"}",
                           "LINDEX sluice:stream:s -1"));
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
}
END_TEST

START_TEST(retry_after_is_obeyed)
{
    start_with("HTTP/1.1 429 Slow down\r\nRetry-After: 5000\r\nContent-Length: 0\r\n\r\n", "");
    push_hook("r");
    wait_until(HANG_MS, must_int(redis, "ZCARD retry") == 1);
    ck_assert(field_is("r", "error_class", "HttpStatus"));
    ck_assert_int_eq(must_int(redis, "ZCOUNT retry -inf %lld", (long long)time(NULL) + 4000), 0);
    ck_assert_int_eq(must_int(redis, "ZCOUNT retry -inf %lld", (long long)time(NULL) + 5001), 1);
}
END_TEST

START_TEST(a_service_that_refuses_makes_it_dead)
{
    start_with("HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\nlost", "");
    push_hook("d");
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 1);
    ck_assert(field_is("d", "error", "HTTP 410: lost"));
    ck_assert_int_eq(must_int(redis, "EXISTS retry"), 0);
}
END_TEST

/* A worker that leaves gives the job back rather than waiting for ever. */
START_TEST(a_stop_gives_it_back)
{
    start_with("", "");
    push_hook("b");
    wait_until(HANG_MS, webhook_requests(&webhook) == 1);
    stop_worker();
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker and http handlers");
    TCase *tc = new_case(suite, "http");
    tcase_add_checked_fixture(tc, start_webhook, stop_webhook);
    tcase_add_test(tc, an_answer_is_the_result);
    tcase_add_test(tc, a_streamed_answer_is_seen_while_it_comes);
    tcase_add_test(tc, retry_after_is_obeyed);
    tcase_add_test(tc, a_service_that_refuses_makes_it_dead);
    tcase_add_test(tc, a_stop_gives_it_back);
    return suite;
}
