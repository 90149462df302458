/* Enqueueing, looking at and cancelling jobs by HTTP. */
#include <sys/socket.h>

#include "support/proxy.h"
#include "test_api.h"

#include "job/envelope.h"

static struct answer post(const char *headers, const char *body)
{
    return ask_with("POST", "/v1/jobs", headers, body);
}

/* The text of a JSON string member: `"name":"text"`. free() it. */
static char *member(const char *json, const char *name)
{
    char begin[64];
    (void)snprintf(begin, sizeof begin, "\"%s\":\"", name);
    const char *at = strstr(json, begin);
    ck_assert_msg(at, "no %s in %s", name, json);
    at += strlen(begin);
    return strndup(at, strcspn(at, "\""));
}

/* Of an accepted job. free() it. */
static char *jid_of(struct answer a)
{
    ck_assert_msg(a.status == 202, "%s", a.text);
    char *jid = member(a.body, "jid");
    free(a.text);
    return jid;
}

/* ---- what is accepted ---- */

START_TEST(a_job_lies_in_its_queue)
{
    static const char args[] = "[12345678901234567890, 1.10, [], {}, \"\\u00e9\\/\"]";
    char job[256];
    start_api(NULL);
    (void)snprintf(job, sizeof job,
                   "{\"class\":\"x\", \"unknown\" : [1e400],\"args\":%s,\"queue\":\"mail\"}", args);
    char *jid = jid_of(post(TYPE_JSON, job));
    ck_assert_uint_eq(strlen(jid), JOB_JID_BYTES);

    char *payload = must_text(redis, "LINDEX queue:mail 0");
    ck_assert_ptr_nonnull(strstr(payload, args));
    ck_assert_ptr_nonnull(strstr(payload, "\"unknown\" : [1e400]"));
    struct envelope e;
    struct err err = {""};
    ck_assert_msg(envelope_parse(slice_of(payload), &e, &err) == 0, "%s", err.text);
    ck_assert_str_eq(e.jid, jid);
    ck_assert_str_eq(e.queue, "mail");
    ck_assert(e.enqueued_at > 1e9 && e.created_at > 1e9);
    envelope_release(&e);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues mail"), 1);
    free(payload);
    free(jid);
}
END_TEST

START_TEST(a_jid_of_its_own_is_kept)
{
    start_api("redis: {key_prefix: \"p:\"}\n");
    must_say(post(TYPE_JSON, "{\"class\":\"x\",\"args\":[],\"jid\":\"mine/1\"}"), 202,
             "\r\n\r\n{\"jid\":\"mine/1\"}\n");
    ck_assert_int_eq(must_int(redis, "LLEN p:queue:default"), 1);
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 2);
}
END_TEST

/* In the order they came, each in its queue or in the schedule. */
static void check_three(void)
{
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 2);
    ck_assert_int_eq(must_int(redis, "LLEN queue:b"), 1);
    ck_assert_int_eq(must_int(redis, "ZCARD schedule"), 1);
    char *next = must_text(redis, "LINDEX queue:default -1");
    ck_assert_ptr_nonnull(strstr(next, "\"args\":[1]"));
    free(next);
    next = must_text(redis, "ZRANGE schedule 0 0 WITHSCORES");
    free(next);
    ck_assert_int_eq(must_int(redis, "ZCOUNT schedule 4000000000 4000000000"), 1);
}

#define JOB(args, more) "{\"class\":\"x\",\"args\":" args more "}"

START_TEST(many_at_once)
{
    struct answer a;
    start_api(NULL);
    a = post(TYPE_JSON,
             " [" JOB("[1]", ",\"jid\":\"j1\"") "," JOB("[2]", ",\"queue\":\"b\"") ",\n" JOB(
                 "[3]", ",\"at\":4000000000") "," JOB("[4]", ",\"at\":5,\"jid\":\"j4\"") "] ");
    ck_assert_ptr_nonnull(strstr(a.body, "{\"jids\":[\"j1\",\""));
    must_say(a, 202, "\",\"j4\"]}\n");
    check_three();

    must_do(redis, "FLUSHALL");
    a = post("Content-Type: application/x-ndjson; charset=utf-8\r\n",
             JOB("[1]", "") "\n\n" JOB("[2]", ",\"queue\":\"b\"") "\r\n" JOB(
                 "[3]", ",\"at\":4000000000000") "\n" JOB("[4]", ""));
    must_say(a, 202, "{\"jids\":[\"");
    check_three();
}
END_TEST

/* The trace of a request goes along with its jobs, but for those that bring their own. */
START_TEST(the_trace_goes_along)
{
#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    static const struct {
        const char *header, *field; /* field: what the job itself says */
        const char *given;          /* NULL: none */
    } cases[] = {
        {"", "", NULL},
        {"traceparent: " TRACE "\r\n", "", TRACE},
        {"traceparent: " TRACE "\r\n", ",\"traceparent\":\"mine\"", "mine"},
        {"traceparent: " TRACE "\r\n", ",\"at\":4e9", TRACE},
        {"traceparent: 01" /* of a later version, which may say more */
         "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more\r\n",
         "", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"},
        {"traceparent: " TRACE "-more\r\n", "", NULL},
        {"traceparent: ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n", "", NULL},
        {"traceparent: 00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n", "", NULL},
        {"traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\n", "", NULL},
        {"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01\r\n", "", NULL},
        {"traceparent: 00-4bf92f35\r\n", "", NULL},
    };
    start_api(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char headers[256], job[128], wanted[256];
        (void)snprintf(headers, sizeof headers, TYPE_JSON "%s", cases[i].header);
        (void)snprintf(job, sizeof job, JOB("[1]", "%s"), cases[i].field);
        free(jid_of(post(headers, job)));
        char *payload = must_text(redis, "EVAL %s 0",
                                  "local waits = redis.call('ZPOPMIN', 'schedule') "
                                  "return waits[1] or redis.call('RPOP', 'queue:default')");
        (void)snprintf(wanted, sizeof wanted, "\"traceparent\":\"%s\"",
                       cases[i].given ? cases[i].given : "");
        ck_assert_msg((strstr(payload, cases[i].given ? wanted : "traceparent") != NULL) ==
                          (cases[i].given != NULL),
                      "case %zu: %s", i, payload);
        free(payload);
    }
}
END_TEST

START_TEST(chunked_bodies)
{
    static const char request[] =
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" TYPE_JSON
        "Transfer-Encoding: chunked\r\n\r\n"
        "a\r\n{\"class\":\"\r\n"
        "e\r\nx\",\"args\":[7]}\r\n0\r\n\r\n";
    start_api(NULL);
    must_say(ask_raw(port, slice_of(request)), 202, "{\"jid\":\"");
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
}
END_TEST

START_TEST(ten_thousand)
{
    struct buf body = {0};
    start_api(NULL);
    for (int i = 0; i < 10000; i++)
        buf_printf(&body, "{\"class\":\"x\",\"args\":[%d]}\n", i);
    struct answer a = ask_for(port, "POST", "/v1/jobs", TYPE_NDJSON, buf_slice(&body));
    must_say(a, 202, "{\"jids\":[\"");
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 10000);
    char *last = must_text(redis, "LINDEX queue:default 0");
    ck_assert_ptr_nonnull(strstr(last, "[9999]"));
    free(last);

    buf_puts(&body, JOB("[1]", ""));
    a = ask_for(port, "POST", "/v1/jobs", TYPE_NDJSON, buf_slice(&body));
    ck_assert_ptr_nonnull(strstr(a.body, "\"index\":10000"));
    must_refuse(a, 413, "too_many_jobs");
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 10000);
    buf_release(&body);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *type, *body;
    int status;
    const char *code, *says;
} refusals[] = {
    {"", "{}", 415, "unsupported_type", "application/json"},
    {"Content-Type: text/plain\r\n", "{}", 415, "unsupported_type", "application/x-ndjson"},
    {"Content-Type: application/jsonx\r\n", "{}", 415, "unsupported_type", ""},
    {TYPE_JSON, "", 400, "bad_json", ""},
    {TYPE_JSON, "{", 400, "bad_json", ""},
    {TYPE_JSON, "{\"class\":\"x\",\"args\":[]} x", 400, "bad_json", "byte"},
    {TYPE_JSON, "{\"class\":\"\xff\",\"args\":[]}", 400, "bad_json", ""},
    {TYPE_JSON, "[]", 422, "no_jobs", ""},
    {TYPE_NDJSON, "\n \n", 422, "no_jobs", ""},
    {TYPE_JSON, "1", 422, "invalid_job", "the payload is a number; an object is required"},
    {TYPE_JSON, "{}", 422, "invalid_job",
     "field \\\"class\\\" is missing; a string of 1 to 256 bytes is "
     "required\",\"field\":\"class\"}"},
    {TYPE_JSON, "{\"class\":\"x\"}", 422, "invalid_job", "\"field\":\"args\"}"},
    {TYPE_JSON, "{\"class\":\"x\",\"args\":{}}", 422, "invalid_job", "\"field\":\"args\"}"},
    {TYPE_JSON, "{\"class\":\"x\",\"args\":[],\"queue\":\"a b\"}", 422, "invalid_job",
     "\"field\":\"queue\"}"},
    {TYPE_JSON, "{\"class\":\"x\",\"args\":[],\"at\":\"now\"}", 422, "invalid_job",
     "\"field\":\"at\"}"},
    {TYPE_JSON, "{\"class\":\"x\",\"args\":[],\"retry\":-1}", 422, "invalid_job",
     "\"field\":\"retry\"}"},
    {TYPE_JSON, "[{\"class\":\"x\",\"args\":[]},{\"class\":7,\"args\":[]}]", 422, "invalid_job",
     "\"message\":\"jobs[1]: field \\\"class\\\" is 7; a string of 1 to 256 bytes is required\","
     "\"field\":\"class\",\"index\":1}"},
    {TYPE_JSON, "[{\"class\":\"x\",\"args\":[]},3]", 422, "invalid_job", "\"index\":1}"},
    {TYPE_JSON, "[{\"class\":\"x\",\"args\":[]},", 400, "bad_json", ""},
    {TYPE_NDJSON, "{\"class\":\"x\",\"args\":[]}\n\n{\"class\":\"x\"}\n", 422, "invalid_job",
     "\"message\":\"line 3: field \\\"args\\\" is missing; an array is required\","
     "\"field\":\"args\",\"index\":1}"},
    {TYPE_NDJSON, "{\"class\":\"x\",\"args\":[]}\n{\n", 400, "bad_json", "line 2: "},
    {TYPE_JSON "Idempotency-Key: a b\r\n", "{\"class\":\"x\",\"args\":[]}", 400,
     "bad_idempotency_key", "\"field\":\"Idempotency-Key\"}"},
};

START_TEST(bad_input_is_refused)
{
    start_api(NULL);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct answer a = post(refusals[i].type, refusals[i].body);
        ck_assert_msg(strstr(a.body, refusals[i].says), "%s -> %s", refusals[i].body, a.body);
        must_refuse(a, refusals[i].status, refusals[i].code);
    }
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 0);
}
END_TEST

START_TEST(sizes_are_bounded)
{
    struct buf body = {0};
    start_api("worker: {max_payload: 2048}\napi: {max_body: 4096}\n");
    buf_puts(&body, "{\"class\":\"x\",\"args\":[\"");
    for (int i = 0; i < 2500; i++)
        buf_putc(&body, 'x');
    buf_puts(&body, "\"]}");
    must_refuse(ask_for(port, "POST", "/v1/jobs", TYPE_JSON, buf_slice(&body)), 413,
                "job_too_large");
    for (int i = 0; i < 2500; i++)
        buf_putc(&body, ' ');
    must_refuse(ask_for(port, "POST", "/v1/jobs", TYPE_JSON, buf_slice(&body)), 413,
                "body_too_large");

    /* One that does not say how long it is. */
    struct buf request = {0};
    buf_puts(&request,
             "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" TYPE_JSON
             "Transfer-Encoding: chunked\r\n\r\n");
    buf_printf(&request, "%zx\r\n", body.n);
    buf_put(&request, buf_slice(&body));
    buf_puts(&request, "\r\n0\r\n\r\n");
    must_refuse(ask_raw(port, buf_slice(&request)), 413, "body_too_large");
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 0);
    ck_assert_int_eq(status_of("/livez"), 200);
    buf_release(&request);
    buf_release(&body);
}
END_TEST

/* One bad target, and nothing at all is enqueued. */
START_TEST(all_or_none)
{
    start_api(NULL);
    must_do(redis, "SET queue:b text");
    struct answer a = post(TYPE_JSON, "[" JOB("[1]", "") "," JOB("[2]", ",\"queue\":\"b\"") "]");
    ck_assert_ptr_nonnull(strstr(a.body, "queue:b is no list"));
    must_refuse(a, 409, "wrong_type");
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 1);
}
END_TEST

START_TEST(a_full_redis_is_told)
{
    start_api(NULL);
    ck_assert_int_eq(status_of("/readyz"), 200);
    must_do(redis, "CONFIG SET maxmemory 1");
    must_refuse(post(TYPE_JSON, JOB("[1]", "")), 503, "redis_full");
    must_do(redis, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 0);
    must_say(post(TYPE_JSON, JOB("[1]", "")), 202, "jid");
}
END_TEST

START_TEST(readers_may_not_write)
{
    static const char read[] = TYPE_JSON "Authorization: Bearer r\r\n";
    static const char all[] = TYPE_JSON "Authorization: Bearer a\r\n";
    start_api("api: {token: a, read_token: r}\n");
    must_refuse(post(TYPE_JSON, JOB("[]", "")), 401, "unauthorized");
    must_refuse(post(read, JOB("[]", "")), 403, "forbidden");
    must_refuse(ask_with("DELETE", "/v1/jobs/x", read, ""), 403, "forbidden");
    must_refuse(ask_with("GET", "/v1/jobs/x", read, ""), 404, "not_recorded");
    must_say(post(all, JOB("[]", "")), 202, "jid");
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
}
END_TEST

/* ---- once ---- */

#define ONCE "Idempotency-Key: order-1\r\n"

START_TEST(the_same_key_enqueues_once)
{
    start_api(NULL);
    char *first = jid_of(post(TYPE_JSON ONCE, JOB("[1]", "")));
    struct answer a = post(TYPE_JSON ONCE, JOB("[1]", ""));
    ck_assert_ptr_nonnull(strstr(a.text, "\r\nIdempotent-Replayed: true\r\n"));
    char *again = jid_of(a);
    ck_assert_str_eq(first, again);
    free(first);
    free(again);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);

    a = post(TYPE_JSON ONCE, JOB("[2]", ""));
    ck_assert_ptr_nonnull(strstr(a.body, "\"field\":\"Idempotency-Key\""));
    must_refuse(a, 422, "idempotency_key_reused");
    must_refuse(post(TYPE_NDJSON ONCE, JOB("[1]", "")), 422, "idempotency_key_reused");
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
    int64_t ttl = must_int(redis, "TTL sluice:idempotency:order-1");
    ck_assert(ttl > 86000 && ttl <= 86400);

    /* What was refused has used nothing up. */
    must_refuse(post(TYPE_JSON "Idempotency-Key: order-2\r\n", "{}"), 422, "invalid_job");
    free(jid_of(post(TYPE_JSON "Idempotency-Key: order-2\r\n", JOB("[2]", ""))));
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 2);
}
END_TEST

enum { SENDERS = 8 };

static void *send_same(void *arg)
{
    char **ret = arg;
    *ret = jid_of(post(TYPE_JSON ONCE, JOB("[1]", "")));
    return NULL;
}

START_TEST(the_same_key_at_the_same_time)
{
    struct thread threads[SENDERS] = {{.started = false}};
    char *jids[SENDERS] = {NULL};
    start_api(NULL);
    for (int i = 0; i < SENDERS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "sender", send_same, &jids[i]), 0);
    for (int i = 0; i < SENDERS; i++)
        thread_join(&threads[i]);
    for (int i = 0; i < SENDERS; i++) {
        ck_assert_str_eq(jids[i], jids[0]);
        if (i > 0)
            free(jids[i]);
    }
    free(jids[0]);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
}
END_TEST

/* The answer of Redis is lost: the job is there, and the key keeps it from being there twice. */
START_TEST(a_lost_reply)
{
    struct proxy proxy = {0};
    char url[64];
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    start_api_at(url, NULL, NULL);
    ck_assert_int_eq(status_of("/readyz"), 200);
    free(jid_of(post(TYPE_JSON, JOB("[0]", ""))));
    proxy_trap(&proxy, "order-1", PROXY_CUT, 0);
    must_refuse(post(TYPE_JSON ONCE, JOB("[1]", "")), 503, "redis_unavailable");
    ck_assert_uint_eq(proxy_stats(&proxy).trapped, 1);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 2);

    proxy_trap(&proxy, "[7]", PROXY_CUT, 0);
    must_refuse(post(TYPE_JSON, JOB("[7]", ",\"queue\":\"b\"")), 503, "outcome_unknown");
    ck_assert_uint_eq(proxy_stats(&proxy).trapped, 2);
    wait_until(HANG_MS, status_of("/readyz") == 200);
    struct answer a = post(TYPE_JSON ONCE, JOB("[1]", ""));
    ck_assert_ptr_nonnull(strstr(a.text, "Idempotent-Replayed"));
    free(jid_of(a));
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 2);
    stop_worker();
    proxy_stop(&proxy);
}
END_TEST

/* ---- looking and cancelling ---- */

START_TEST(a_tracked_job_is_shown)
{
    start_api(NULL);
    must_do(redis, "HSET sluice:job:a%%b state completed queue default class x attempt 1 "
                   "started_at 1700000000.500000 result [1.10]");
    must_say(
        get("/v1/jobs/a%25b"), 200,
        "\r\n\r\n{\"jid\":\"a%b\",\"state\":\"completed\",\"class\":\"x\",\"queue\":\"default\","
        "\"attempt\":1,\"started_at\":1700000000.500000,\"result\":[1.10]}\n");
    must_refuse(get("/v1/jobs/nobody"), 404, "not_recorded");
    must_refuse(get("/v1/jobs/a%"), 400, "bad_path");
    must_refuse(get("/v1/jobs/a%00"), 400, "bad_path");
    must_do(redis, "SET sluice:job:odd text");
    must_refuse(get("/v1/jobs/odd"), 409, "wrong_type");
    /* What others may have written is shown as it is described, or not at all. */
    must_do(redis, "HSET sluice:job:strange attempt x started_at [] cpu_s 0.5 result {");
    must_say(get("/v1/jobs/strange"), 200,
             "\r\n\r\n{\"jid\":\"strange\",\"cpu_s\":0.5,\"result\":\"{\"}\n");
}
END_TEST

START_TEST(jobs_are_cancelled)
{
    start_api(NULL);
    free(jid_of(post(TYPE_JSON, JOB("[1]", ",\"jid\":\"waits\""))));
    free(jid_of(post(TYPE_JSON, JOB("[1]", ",\"jid\":\"later\",\"at\":4000000000"))));
    must_say(ask_with("DELETE", "/v1/jobs/waits", "", ""), 200,
             "{\"jid\":\"waits\",\"withdrawn\":\"queue:default\",\"running\":false}\n");
    must_say(ask_with("DELETE", "/v1/jobs/later", "", ""), 200, "\"withdrawn\":\"schedule\"");
    must_say(ask_with("DELETE", "/v1/jobs/nobody", "", ""), 202,
             "{\"jid\":\"nobody\",\"withdrawn\":null,\"running\":false}\n");
    ck_assert_int_eq(must_int(redis, "EXISTS queue:default schedule"), 0);
    ck_assert_int_eq(must_int(redis, "ZCARD sluice:cancelled"), 3);
}
END_TEST

/* From HTTP through a worker and back. */
START_TEST(a_worker_runs_it)
{
    struct worker_process runner;
    start_api(NULL);
    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "handlers:\n" TEST_HANDLER});
    char *jid = jid_of(post(TYPE_JSON, "{\"class\":\"test\",\"args\":[{}],\"track\":true}"));
    char path[64];
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", jid);
    wait_until(HANG_MS, status_of(path) == 200);
    wait_until(HANG_MS, must_int(redis, "GET stat:processed") == 1);
    must_say(get(path), 200, "\"state\":\"completed\"");
    free(jid);
    ck_assert_int_eq(worker_process_stop(&runner), 0);
    worker_process_free(&runner);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: jobs");
    TCase *tc = new_case(suite, "accepted");
    tcase_add_test(tc, a_job_lies_in_its_queue);
    tcase_add_test(tc, a_jid_of_its_own_is_kept);
    tcase_add_test(tc, many_at_once);
    tcase_add_test(tc, the_trace_goes_along);
    tcase_add_test(tc, chunked_bodies);
    tcase_add_test(tc, ten_thousand);
    tc = new_case(suite, "refused");
    tcase_add_test(tc, bad_input_is_refused);
    tcase_add_test(tc, sizes_are_bounded);
    tcase_add_test(tc, all_or_none);
    tcase_add_test(tc, a_full_redis_is_told);
    tcase_add_test(tc, readers_may_not_write);
    tc = new_case(suite, "once");
    tcase_add_test(tc, the_same_key_enqueues_once);
    tcase_add_test(tc, the_same_key_at_the_same_time);
    tcase_add_test(tc, a_lost_reply);
    tc = new_case(suite, "one job");
    tcase_add_test(tc, a_tracked_job_is_shown);
    tcase_add_test(tc, jobs_are_cancelled);
    tcase_add_test(tc, a_worker_runs_it);
    return suite;
}
