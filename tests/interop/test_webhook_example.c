/* The example of a service (examples/webhook/) under a real worker. Needs python3. */
#include "integration/test_worker.h"
#include "support/program.h"
#include "support/sluice.h"

#define WEBHOOK TEST_SOURCE_DIR "/examples/webhook/"

static struct program service;

static bool listens(char *ret_url, size_t size)
{
    program_read(&service);
    const char *at = strstr(service.out, "http://");
    if (!at || !strchr(at, '\n'))
        return false;
    (void)snprintf(ret_url, size, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

/* As its entry in examples/worker.yaml has it; "stranger" has another secret. */
static void start_both(void)
{
    char url[64], other[128], settings[1024];
    service = (struct program){.env = {"PYTHONDONTWRITEBYTECODE=1"}};
    program_start(&service, (const char *const[]){WEBHOOK "serve.py", "--port", "0",
                                                  "--secret-file", WEBHOOK "secret", NULL});
    wait_until(HANG_MS, listens(url, sizeof url));
    (void)snprintf(other, sizeof other, "%s/secret", server.dir);
    FILE *f = fopen(other, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs("another\n", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    (void)snprintf(settings, sizeof settings,
                   "worker: {threads: 4, shutdown_timeout: 1}\n"
                   "handlers:\n"
                   "  - {class: \"hook.*\", http: \"%s\", track: true, timeout: 60, "
                   "secret_file: \"" WEBHOOK "secret\"}\n"
                   "  - {class: stranger, http: \"%s\", track: true, secret_file: \"%s\"}\n",
                   url, url, other);
    start_worker(settings);
}

static void end_service(void)
{
    program_end(&service);
}

static bool is(const char *jid, const char *field, const char *value)
{
    return answers_with(redis, value, "HGET sluice:job:%s %s", jid, field);
}

static bool service_said(const char *text)
{
    program_read(&service);
    return strstr(service.err, text) != NULL;
}

START_TEST(answers_become_outcomes)
{
    start_both();
    push("default", "{\"class\":\"hook.sum\",\"jid\":\"s\",\"args\":[1,2.5]}");
    push("default", "{\"class\":\"hook.sum\",\"jid\":\"d\",\"args\":[\"x\"]}");
    push("default", "{\"class\":\"hook.none\",\"jid\":\"n\",\"args\":[]}");
    push("default", "{\"class\":\"hook.count\",\"jid\":\"f\",\"args\":[]}");
    wait_until(HANG_MS, is("s", "result", "{\"sum\": 3.5}"));
    wait_until(HANG_MS, is("d", "state", "dead"));
    ck_assert(is("d", "error", "HTTP 422: args must be numbers"));
    wait_until(HANG_MS, is("n", "state", "dead"));
    ck_assert(is("n", "error", "HTTP 422: no such class here: hook.none"));
    wait_until(HANG_MS, is("f", "state", "retrying")); /* a stream that broke off */
    ck_assert(is("f", "error_class", "ConnectionError"));
}
END_TEST

START_TEST(a_job_that_comes_twice_is_done_once)
{
    start_both();
    push("default", "{\"class\":\"hook.sum\",\"jid\":\"t\",\"args\":[1]}");
    wait_until(HANG_MS, is("t", "result", "{\"sum\": 1}"));
    push("default",
         "{\"class\":\"hook.sum\",\"jid\":\"t\",\"args\":[2]}"); /* to see the difference */
    wait_processed(2);
    ck_assert(is("t", "result", "{\"sum\": 1}"));
}
END_TEST

START_TEST(events_are_streamed_until_a_cancel)
{
    start_both();
    push("default", "{\"class\":\"hook.count\",\"jid\":\"c\",\"args\":[2,0]}");
    wait_until(HANG_MS, is("c", "state", "completed"));
    ck_assert(answers_with(redis, "{\"n\": 1, \"of\": 2}", "LINDEX sluice:stream:c 0"));
    ck_assert(answers_with(redis, "{\"n\": 2, \"of\": 2}", "LINDEX sluice:stream:c 1"));
    ck_assert_int_eq(must_int(redis, "LLEN sluice:stream:c"), 3);

    push("default", "{\"class\":\"hook.count\",\"jid\":\"l\",\"args\":[100000,0.01]}");
    wait_until(HANG_MS, must_int(redis, "LLEN sluice:stream:l") > 1);
    struct sluice r = sluice(server.url, NULL, "cancel", "l", "--wait", "60");
    ck_assert_msg(r.status == 0, "%s", r.err);
    sluice_free(&r);
    wait_until(HANG_MS, service_said("the worker hung up"));
}
END_TEST

START_TEST(a_job_comes_again_when_it_was_told_to)
{
    start_both();
    push("default", "{\"class\":\"hook.later\",\"jid\":\"r\",\"args\":[1]}");
    wait_until(HANG_MS, is("r", "state", "completed"));
    ck_assert(is("r", "result", "\"at attempt 2\""));
}
END_TEST

START_TEST(a_stranger_is_refused)
{
    start_both();
    push("default", "{\"class\":\"stranger\",\"jid\":\"x\",\"args\":[]}");
    wait_until(HANG_MS, is("x", "state", "retrying"));
    ck_assert(is("x", "error", "HTTP 401: the signature is missing, wrong or too old"));
}
END_TEST

/* The reference is a signature made by `openssl dgst -sha256 -hmac s3cret`. */
START_TEST(signatures_grow_old)
{
    static const char asks[] =
        "import sys; sys.path.insert(0, sys.argv[1]); import serve\n"
        "mac = '97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf'\n"
        "is_good = lambda header, now: serve.is_signed(b's3cret', header, b'{}', now)\n"
        "good = 't=1700000000,v1=' + mac\n"
        "assert is_good(good, 1700000000) and is_good(good, 1700000300.0)\n"
        "assert is_good(good, 1699999700)\n"
        "assert not is_good(good, 1700000301) and not is_good(good, 1699999699)\n"
        "assert not is_good('t=1700000001,v1=' + mac, 1700000001)\n"
        "for bad in ('', ',', 't=', 'v1=' + mac, good[:-1], good + '0', 't=1,v1=\\u00e9'):\n"
        "    assert not is_good(bad, 1700000000), bad\n";
    service = (struct program){.env = {"PYTHONDONTWRITEBYTECODE=1"}};
    program_start(&service,
                  (const char *const[]){"/usr/bin/env", "python3", "-c", asks, WEBHOOK, NULL});
    ck_assert_msg(program_wait(&service) == 0, "%s", service.err);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("example of a service");
    TCase *tc = new_case(suite, "webhook");
    tcase_add_checked_fixture(tc, NULL, end_service);
    tcase_add_test(tc, answers_become_outcomes);
    tcase_add_test(tc, a_job_that_comes_twice_is_done_once);
    tcase_add_test(tc, events_are_streamed_until_a_cancel);
    tcase_add_test(tc, a_job_comes_again_when_it_was_told_to);
    tcase_add_test(tc, a_stranger_is_refused);
    tcase_add_test(tc, signatures_grow_old);
    return suite;
}
