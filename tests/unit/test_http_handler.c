/* Http handlers: what is sent, what each answer leads to, and how an exchange ends early. */
#include "unit/fake_http.h"

/* ---- the request ---- */

static void assert_request_has(const char *text)
{
    struct buf request = webhook_request(&webhook);
    ck_assert_msg(strstr(buf_str(&request), text) != NULL, "no %s in: %s", text, buf_str(&request));
    buf_release(&request);
}

START_TEST(the_job_is_posted)
{
    job.attempt = 3;
    job.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    run_against(OK("application/json", "Content-Length: 2\r\n\r\n{}"));
    assert_done("{}");
    assert_request_has("POST /jobs HTTP/1.1\r\n");
    assert_request_has("\r\nContent-Type: application/json\r\n");
    assert_request_has("\r\nIdempotency-Key: 0123456789abcdef01234567\r\n");
    assert_request_has("\r\nSluice-Jid: 0123456789abcdef01234567\r\n");
    assert_request_has("\r\nSluice-Attempt: 3\r\n");
    assert_request_has(
        "\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
    assert_request_has("\r\n\r\n{\"class\":\"test\",\"args\":[1],\"attempt\":3}");
    struct buf request = webhook_request(&webhook);
    ck_assert_ptr_null(strstr(buf_str(&request), "Expect"));
    ck_assert_ptr_null(strstr(buf_str(&request), "Signature"));
    buf_release(&request);
}
END_TEST

/* A producer may name a job as it likes; a line break must not become a header of its own. */
START_TEST(a_jid_cannot_add_headers)
{
    job.jid = "a\r\nX-Evil: 1";
    run_against(OK("text/plain", "Content-Length: 0\r\n\r\n"));
    assert_done("");
    struct buf request = webhook_request(&webhook);
    ck_assert_ptr_null(strstr(buf_str(&request), "X-Evil"));
    buf_release(&request);
}
END_TEST

START_TEST(a_connection_serves_many_jobs)
{
    enum { JOBS = 20 };
    for (int i = 0; i < JOBS; i++) {
        run_against(OK("application/json", "Content-Length: 1\r\n\r\n7"));
        assert_done("7");
    }
    ck_assert_int_eq(webhook_requests(&webhook), JOBS);
    ck_assert_int_eq(webhook_connections(&webhook), 1);
}
END_TEST

/* Reference: printf '%s' "$t.$body" | openssl dgst -sha256 -hmac s3cret, done here by hand. */
START_TEST(requests_are_signed)
{
    char path[] = "/tmp/sluice-secret-XXXXXX", command[512], theirs[128] = "";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "s3cret\n", 7), 7);
    ck_assert_int_eq(close(fd), 0);
    conf.secret_file = path;
    run_against(OK("application/json", "Content-Length: 2\r\n\r\n{}"));
    assert_done("{}");
    struct buf request = webhook_request(&webhook);
    const char *at = strstr(buf_str(&request), "\r\nSluice-Signature: t=");
    ck_assert_ptr_nonnull(at);
    long long t = strtoll(at + strlen("\r\nSluice-Signature: t="), NULL, 10);
    const char *ours = strstr(at, ",v1=");
    ck_assert_ptr_nonnull(ours);
    (void)snprintf(command, sizeof command,
                   "printf '%%s' '%lld.{\"class\":\"test\",\"args\":[1],\"attempt\":1}' | openssl "
                   "dgst -sha256 -hmac s3cret -r",
                   t);
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(theirs, sizeof theirs, f));
    ck_assert_int_eq(pclose(f), 0);
    ck_assert_int_eq(strncmp(ours + 4, theirs, 64), 0);
    ck_assert_int_eq(unlink(path), 0);
    buf_release(&request);
}
END_TEST

/* ---- answers ---- */

static const struct {
    const char *answer;
    enum outcome_kind kind;
    const char *error_class, *text; /* message, or result */
    double retry_after_s;
} answers[] = {
    {OK("application/json", "Content-Length: 13\r\n\r\n{\"n\": 1.10,\n}"), OUTCOME_DONE, "",
     "\"{\\\"n\\\": 1.10,\\n}\"", 0},
    {OK("application/json", "Content-Length: 11\r\n\r\n{\"n\": 1.10}"), OUTCOME_DONE, "",
     "{\"n\": 1.10}", 0},
    {OK("text/html", "Content-Length: 6\r\n\r\nhello\n"), OUTCOME_DONE, "", "\"hello\\n\"", 0},
    {OK("application/json", CHUNKED "3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"), OUTCOME_DONE, "", "[1,2]",
     0},
    {"HTTP/1.1 204 No Content\r\n\r\n", OUTCOME_DONE, "", "", 0},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
     OUTCOME_DONE, "", "", 0},
    {"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
     OUTCOME_FAILED, "HttpStatus", "HTTP 301", 0},
    {"HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\nwrong id", OUTCOME_FAILED, "HttpStatus",
     "HTTP 400: wrong id", 0},
    {"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", OUTCOME_DEAD, "HttpStatus", "HTTP 409",
     0},
    {"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", OUTCOME_DEAD, "HttpStatus", "HTTP 410", 0},
    {"HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\n{}", OUTCOME_DEAD, "HttpStatus", "HTTP 422: {}",
     0},
    {"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", OUTCOME_FAILED,
     "HttpStatus", "HTTP 429", 7},
    {"HTTP/1.1 503 Away\r\nRetry-After: 12\r\nContent-Length: 0\r\n\r\n", OUTCOME_FAILED,
     "HttpStatus", "HTTP 503", 12},
    {"HTTP/1.1 503 Away\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", OUTCOME_FAILED,
     "HttpStatus", "HTTP 503", 0},
    {"HTTP/1.1 500 Oops\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", OUTCOME_FAILED,
     "HttpStatus", "HTTP 500", 0},
};

START_TEST(each_answer_has_its_outcome)
{
    run_against(answers[_i].answer);
    assert_outcome(answers[_i].kind, answers[_i].error_class,
                   answers[_i].kind == OUTCOME_DONE ? "" : answers[_i].text);
    if (answers[_i].kind == OUTCOME_DONE)
        ck_assert_str_eq(buf_str(&out.result), answers[_i].text);
    ck_assert(out.retry_after_s <= answers[_i].retry_after_s &&
              out.retry_after_s >= answers[_i].retry_after_s);
}
END_TEST

static char *large_answer(const char *status, size_t n)
{
    struct buf b = {0};
    buf_printf(&b, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, n);
    for (size_t i = 0; i < n; i++)
        buf_putc(&b, 'x');
    ck_assert_int_eq(buf_error(&b), 0);
    return (char *)buf_str(&b);
}

START_TEST(a_result_has_a_cap)
{
    char *text = large_answer("200 OK", (1 << 20) + 1);
    run_against(text);
    assert_outcome(OUTCOME_FAILED, "ResponseTooLarge", "the answer is longer than 1048576 bytes");
    free(text);
}
END_TEST

START_TEST(the_reason_of_a_failure_is_cut)
{
    char *text = large_answer("410 Gone", 100000);
    run_against(text);
    ck_assert_int_eq(out.kind, OUTCOME_DEAD);
    ck_assert_uint_eq(out.message.n, strlen("HTTP 410: ") + 500);
    free(text);
}
END_TEST

/* ---- streams ---- */

static const struct {
    const char *answer, *events;
} streams[] = {
    {OK("application/x-ndjson", CHUNKED "4\r\n1\n\n2\r\n7\r\n3\r\nlast\r\n0\r\n\r\n"),
     "1\n23\nlast\n"},
    {OK("application/x-ndjson; charset=utf-8", "Content-Length: 6\r\n\r\n{}\n[]\n"), "{}\n[]\n"},
    {OK("text/event-stream", "\r\n"
                             ": hi\nevent: a\ndata: 1\n\ndata:2\ndata: 3\n\nid: 4\n\n"),
     "1\n2\n3\n"},
    {OK("Text/Event-Stream", "\r\ndata: {\"a\":1}\r\n\r\ndata\n\ndata: x"), "{\"a\":1}\n\n"},
};

START_TEST(streamed_bodies_are_events)
{
    webhook_cuts_after(&webhook, streams[_i].answer);
    run_job();
    assert_done("");
    ck_assert_str_eq(buf_str(&run.events), streams[_i].events);
}
END_TEST

START_TEST(a_stream_that_breaks_off_is_a_failure)
{
    webhook_cuts_after(&webhook, OK("application/x-ndjson", CHUNKED "2\r\n1\n\r\n2\r\n2\n\r\n"));
    run_job();
    ck_assert_int_eq(out.kind, OUTCOME_FAILED);
    ck_assert_str_eq(out.error_class, "ConnectionError");
    ck_assert_ptr_nonnull(strstr(buf_str(&out.message), "the answer broke off: "));
    ck_assert_str_eq(buf_str(&run.events), "1\n2\n");
}
END_TEST

/* ---- early ends ---- */

START_TEST(nobody_listens)
{
    char url[] = "http://127.0.0.1:1/";
    conf.url = url;
    run_job();
    ck_assert_int_eq(out.kind, OUTCOME_FAILED);
    ck_assert_str_eq(out.error_class, "ConnectionError");
    ck_assert_ptr_nonnull(strstr(buf_str(&out.message), "127.0.0.1"));
}
END_TEST

START_TEST(a_timeout_ends_it)
{
    job.timeout_ms = 100;
    run_against(_i == 0 ? "" : OK("application/x-ndjson", CHUNKED "2\r\n1\n\r\n"));
    assert_outcome(OUTCOME_FAILED, "Timeout", "ran longer than 0.1 s");
    run_against(OK("application/json", "Content-Length: 1\r\n\r\n1"));
    assert_done("1"); /* on another connection: what comes late is nobody's answer */
    ck_assert_int_eq(webhook_connections(&webhook), 2);
}
END_TEST

START_TEST(silence_ends_it)
{
    conf.silence_timeout_s = 1; /* enough for the first event, on a busy machine, too */
    run_against(OK("application/x-ndjson", CHUNKED "2\r\n1\n\r\n"));
    ck_assert_int_eq(out.kind, OUTCOME_FAILED);
    ck_assert_str_eq(out.error_class, "SilenceTimeout");
    ck_assert_str_eq(buf_str(&run.events), "1\n");
}
END_TEST

static void *stop_when_asked(void *arg)
{
    wait_until(FOREVER_MS, webhook_requests(arg) == 1);
    fake_run_stop(&run, RUN_CANCELLED);
    return NULL;
}

START_TEST(a_cancel_ends_it_at_once)
{
    struct thread thread;
    run.deaf = _i == 1;
    webhook_answers(&webhook, "");
    ck_assert_int_eq(thread_start(&thread, "stop", stop_when_asked, &webhook), 0);
    int64_t began = clock_now_ns();
    run_job();
    thread_join(&thread);
    ck_assert_int_lt((clock_now_ns() - began) / NS_PER_MS, FOREVER_MS);
    assert_outcome(OUTCOME_FAILED, "Cancelled", "cancelled by a user");
}
END_TEST

/* ---- settings ---- */

static const struct {
    const char *url, *secret_file, *tls_ca, *words;
} refused[] = {
    {"jobs", NULL, NULL, "http: no address, must be http://HOST[:PORT]/PATH or https://…"},
    {"ftp://host/jobs", NULL, NULL,
     "http: no address, must be http://HOST[:PORT]/PATH or https://…"},
    {"http://user:hunter2@host/", NULL, NULL,
     "http: an address with user or password, must be without them"},
    {"http://host/", "/nonexistent/secret", NULL,
     "secret_file /nonexistent/secret: No such file or directory"},
    {"http://host/", "/dev/null", NULL, "secret_file /dev/null: must hold 1 to 4096 bytes"},
    {"https://host/", NULL, "/nonexistent/ca.pem",
     "tls_ca /nonexistent/ca.pem: No such file or directory"},
};

START_TEST(bad_settings_are_refused)
{
    struct err err = {""};
    conf.url = (char *)refused[_i].url;
    conf.secret_file = (char *)refused[_i].secret_file;
    conf.tls_ca = (char *)refused[_i].tls_ca;
    ck_assert_int_eq(http_kind.open(&conf, &handler, &err), -EINVAL);
    ck_assert_str_eq(err.text, refused[_i].words);
    handler = NULL;
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("http handler");
    TCase *tc = new_case(suite);
    tcase_add_test(tc, the_job_is_posted);
    tcase_add_test(tc, a_jid_cannot_add_headers);
    tcase_add_test(tc, a_connection_serves_many_jobs);
    tcase_add_test(tc, requests_are_signed);
    tcase_add_loop_test(tc, each_answer_has_its_outcome, 0, COUNT(answers));
    tcase_add_test(tc, a_result_has_a_cap);
    tcase_add_test(tc, the_reason_of_a_failure_is_cut);
    tcase_add_loop_test(tc, streamed_bodies_are_events, 0, COUNT(streams));
    tcase_add_test(tc, a_stream_that_breaks_off_is_a_failure);
    tcase_add_test(tc, nobody_listens);
    tcase_add_loop_test(tc, a_timeout_ends_it, 0, 2);
    tcase_add_test(tc, silence_ends_it);
    tcase_add_loop_test(tc, a_cancel_ends_it_at_once, 0, 2);
    tcase_add_loop_test(tc, bad_settings_are_refused, 0, COUNT(refused));
    return suite;
}
