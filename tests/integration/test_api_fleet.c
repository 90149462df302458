/* What the API shows of queues, workers and sets of jobs, what it does to them, and its figures. */
#include "test_api.h"

static struct answer ask_post(const char *path)
{
    return ask_with("POST", path, "", "");
}

static bool shows(const char *path, const char *text)
{
    struct answer a = get(path);
    bool is = strstr(a.body, text);
    free(a.text);
    return is;
}

/* ---- queues ---- */

START_TEST(queues_are_listed)
{
    start_api(NULL);
    must_say(get("/v1/queues"), 200, "\r\n\r\n{\"queues\":[]}\n");
    must_do(redis, "SADD queues b a");
    must_do(redis, "SADD paused b");
    must_do(redis, "LPUSH queue:a 1 2 3");
    wait_until(HANG_MS, shows("/v1/queues", "\"size\":3")); /* the last, within a second */
    must_say(get("/v1/queues"), 200,
             "{\"queues\":[{\"name\":\"a\",\"size\":3,\"latency\":0.000,\"paused\":false,"
             "\"wrong_type\":false},{\"name\":\"b\",\"size\":0,\"latency\":0.000,\"paused\":true,"
             "\"wrong_type\":false}]}\n");
}
END_TEST

START_TEST(queues_are_paused)
{
    struct worker_process runner;
    start_api(NULL);
    must_say(ask_post("/v1/queues/default/pause"), 200,
             "\r\n\r\n{\"queue\":\"default\",\"paused\":true,\"changed\":true}\n");
    must_say(ask_post("/v1/queues/default/pause"), 200, "\"changed\":false}\n");
    must_say(ask_post("/v1/queues/caf%C3%A9/pause"), 200, "{\"queue\":\"caf\xc3\xa9\",");
    ck_assert_int_eq(must_int(redis, "SCARD paused"), 2);
    must_refuse(ask_post("/v1/queues/a%20b/pause"), 400, "bad_queue");
    must_refuse(ask_post("/v1/queues//pause"), 404, "not_found");
    must_refuse(ask_post("/v1/queues/a/b/pause"), 404, "not_found");

    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "worker: {queues: [other, default]}\n"
                                                              "handlers:\n" TEST_HANDLER});
    push("default", "{\"class\":\"test\",\"args\":[{}]}");
    push("other", "{\"class\":\"test\",\"args\":[{}]}");
    wait_until(HANG_MS, must_int(redis, "GET stat:processed") == 1);
    /* A wait that took it before it knew gives it back. */
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") == 1);
    must_say(ask_post("/v1/queues/default/resume"), 200, "\"paused\":false,\"changed\":true}\n");
    wait_until(HANG_MS, must_int(redis, "GET stat:processed") == 2);
    ck_assert_int_eq(worker_process_stop(&runner), 0);
    worker_process_free(&runner);
}
END_TEST

/* Many who ask cost Redis no more than one. */
START_TEST(reads_are_shared)
{
    start_api(NULL);
    ck_assert_int_eq(status_of("/v1/stats"), 200);
    int64_t before_ns = clock_now_ns();
    int64_t before = must_int(redis, "EVAL %s 0",
                              "return tonumber(string.match(redis.call('INFO', 'commandstats'), "
                              "'cmdstat_smembers:calls=(%d+)'))");
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(status_of("/v1/stats"), 200);
        ck_assert_int_eq(status_of("/v1/queues"), 200);
        ck_assert_int_eq(status_of("/v1/workers"), 200);
        ck_assert_int_eq(status_of("/v1/running"), 200);
    }
    int64_t after = must_int(redis, "EVAL %s 0",
                             "return tonumber(string.match(redis.call('INFO', 'commandstats'), "
                             "'cmdstat_smembers:calls=(%d+)'))");
    int64_t seconds = (clock_now_ns() - before_ns) / NS_PER_S + 2;
    ck_assert_int_le(after - before, 9 * seconds); /* so many sets are read for all of them */
}
END_TEST

/* ---- workers ---- */

static bool worker_is(const char *state)
{
    char text[64];
    (void)snprintf(text, sizeof text, "\"state\":\"%s\"", state);
    return shows("/v1/workers", text);
}

START_TEST(workers_are_steered)
{
    struct worker_process runner;
    char path[512];
    start_api(NULL);
    must_say(get("/v1/workers"), 200, "\r\n\r\n{\"workers\":[]}\n");
    must_refuse(ask_post("/v1/workers/h:1:abc/stop"), 404, "not_found");
    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "handlers:\n" TEST_HANDLER});
    wait_until(HANG_MS, worker_is("running"));
    must_say(get("/v1/workers"), 200, runner.identity);

    (void)snprintf(path, sizeof path, "/v1/workers/%s/quiet", runner.identity);
    wait_until(HANG_MS, workers_listen(1));
    must_say(ask_post(path), 202, "\"order\":\"quiet\"}\n");
    wait_until(HANG_MS, worker_is("quiet"));
    (void)snprintf(path, sizeof path, "/v1/workers/%s/resume", runner.identity);
    must_say(ask_post(path), 202, "\"order\":\"resume\"}\n");
    wait_until(HANG_MS, worker_is("running"));
    (void)snprintf(path, sizeof path, "/v1/workers/%s/stop", runner.identity);
    must_say(ask_post(path), 202, "\"order\":\"stop\"}\n");
    ck_assert_int_eq(worker_process_wait(&runner, HANG_MS), 0);
    worker_process_free(&runner);
}
END_TEST

/* What a worker tells of itself at its beats, and one of Sidekiq's does not. */
START_TEST(workers_show_their_gate)
{
    struct worker_process runner;
    start_api(NULL);
    must_do(redis, "SADD processes ruby:1:abc");
    must_do(redis, "HSET ruby:1:abc busy 0 beat 1 info {}");
    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "redis: {max_concurrent_ops: 7, "
                                                              "max_connections: 27}\n"
                                                              "handlers:\n" TEST_HANDLER});
    wait_until(HANG_MS, worker_is("running"));
    wait_until(HANG_MS, shows("/v1/workers", "\"permits\":{\"limit\":7,\"in_use\":"));
    must_say(get("/v1/workers"), 200,
             "\"beat\":1.000000,\"permits\":null,\"connections\":null,\"processed\":null,"
             "\"failed\":null,\"duration_s\":null,\"latency_s\":null,\"info\":{}}");
    must_say(get("/v1/workers"), 200, "\"connections\":{\"limit\":27,\"open\":");
    must_say(get("/v1/workers"), 200, "\"processed\":0,\"failed\":0,\"duration_s\":null,");

    push("default", "{\"class\":\"test\",\"args\":[{\"outcome\":\"dead\"}]}");
    push("default", "{\"class\":\"test\",\"args\":[{\"sleep_ms\":1500}]}"); /* into a beat */
    wait_until(HANG_MS,
               shows("/v1/workers", "\"processed\":2,\"failed\":1,\"duration_s\":{\"p50\":"));
    ck_assert_int_eq(worker_process_stop(&runner), 0);
    worker_process_free(&runner);
}
END_TEST

/* What others may have written is shown as it is described, or not at all. */
START_TEST(odd_workers_are_shown)
{
    start_api(NULL);
    must_do(redis, "SADD processes h:1:list h:1:object");
    must_do(redis, "HSET h:1:list info [] busy x beat never");
    must_do(redis, "HSET h:1:object info {} busy 1");
    /* What was seen a moment before, names and nothing else, may be shown for a second. */
    wait_until(HANG_MS, shows("/v1/workers", "\"info\":{}}"));
    must_say(get("/v1/workers"), 200, "\"info\":null}");
    must_say(get("/v1/workers"), 200, "\"busy\":1,");
    must_say(get("/v1/workers"), 200, "\"beat\":0.000000,\"permits\":null");
}
END_TEST

/* ---- sets ---- */

START_TEST(pages)
{
    start_api(NULL);
    must_say(get("/v1/retry"), 200,
             "\r\n\r\n{\"total\":0,\"offset\":0,\"next\":null,\"jobs\":[]}\n");
    must_do(redis, "ZADD schedule 4000000001.5 %s",
            "{\"class\":\"x\",\"args\":[1.10],\"jid\":\"a\"}");
    must_do(redis, "ZADD schedule 4000000002 %s", "{\"class\":\"x\"}");
    must_do(redis, "ZADD schedule 4000000003 %s", "no json");
    must_say(get("/v1/schedule"), 200,
             "{\"total\":3,\"offset\":0,\"next\":null,\"jobs\":["
             "{\"score\":4000000001.500000,\"jid\":\"a\","
             "\"job\":{\"class\":\"x\",\"args\":[1.10],\"jid\":\"a\"}},"
             "{\"score\":4000000002.000000,\"jid\":null,\"job\":{\"class\":\"x\"}},"
             "{\"score\":4000000003.000000,\"jid\":null,\"job\":null,\"raw\":\"no json\"}]}\n");
    must_say(get("/v1/schedule?limit=1"), 200, "{\"total\":3,\"offset\":0,\"next\":1,\"jobs\":[");
    must_say(get("/v1/schedule?offset=1&limit=1"), 200,
             "{\"total\":3,\"offset\":1,\"next\":2,\"jobs\":[{\"score\":4000000002.0");
    must_say(get("/v1/schedule?offset=9"), 200, "\"offset\":9,\"next\":null,\"jobs\":[]}\n");
    static const char *const bad[] = {
        "limit=0", "limit=1001", "limit=", "limit=x", "offset=-1", "offset=99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/v1/dead?%s", bad[i]);
        must_refuse(get(path), 400, "bad_parameter");
    }
    must_do(redis, "SET dead text");
    must_refuse(get("/v1/dead"), 409, "wrong_type");
}
END_TEST

/* Entries of any size cannot make a page huge, nor break the connection. */
START_TEST(pages_are_bounded)
{
    enum { BIG = 100000, MANY = 60000, HUGE = 2 << 20 };
    static char text[HUGE + 1];
    start_api("worker: {max_payload: 4096}\n");
    memset(text, '1', sizeof text - 1);
    must_do(redis, "ZADD dead 1 %b", text, (size_t)HUGE);
    must_do(redis, "ZADD dead 2 %b", text, (size_t)BIG);
    for (int i = 0; i < 30; i++) {
        text[0] = (char)('2' + i % 8);
        text[1] = (char)('0' + i / 8);
        must_do(redis, "ZADD dead %d %b", 3 + i, text, (size_t)MANY);
    }
    struct answer a = get("/v1/dead?limit=1000");
    ck_assert_uint_lt(strlen(a.body), 3 << 19);
    must_say(a, 200, "{\"total\":32,\"offset\":0,\"next\":17,\"jobs\":[");
    must_say(get("/v1/dead?offset=30"), 200,
             "\"jobs\":[{\"score\":2.000000,\"jid\":null,\"job\":null,\"bytes\":100000},"
             "{\"score\":1.000000,\"jid\":null,\"job\":null,\"bytes\":2097152}]}\n");
    must_refuse(ask_post("/v1/dead/11/requeue"), 404, "not_found");
}
END_TEST

START_TEST(the_dead_are_requeued)
{
    static const char job[] =
        "{\"class\":\"x\",\"args\":[12345678901234567890],\"jid\":\"d\",\"queue\":\"mail\",\"retry_"
        "count\":25,"
        "\"failed_at\":1.5,\"retried_at\":2.5,\"error_class\":\"E\",\"error_message\":\"m\"}";
    start_api(NULL);
    must_do(redis, "ZADD dead 1 %s", job);
    must_do(redis, "ZADD dead 2 %s", "not d");
    must_do(redis, "ZADD sluice:cancelled 1 d");
    must_refuse(ask_post("/v1/dead/other/requeue"), 404, "not_found");
    must_say(ask_post("/v1/dead/d/requeue"), 200, "\r\n\r\n{\"jid\":\"d\",\"queue\":\"mail\"}\n");
    char *payload = must_text(redis, "LINDEX queue:mail 0");
    ck_assert_ptr_eq(strstr(payload,
                            "{\"class\":\"x\",\"args\":[12345678901234567890],\"jid\":\"d\","
                            "\"queue\":\"mail\",\"error_class\":\"E\","
                            "\"error_message\":\"m\",\"created_at\":"),
                     payload);
    free(payload);
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 1);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:cancelled"), 0);
    must_refuse(ask_post("/v1/dead/d/requeue"), 404, "not_found");

    must_do(redis, "ZADD dead 3 %s", job);
    must_do(redis, "SET queue:mail2 text");
    must_do(redis, "ZADD dead 4 %s",
            "{\"class\":\"x\",\"args\":[],\"jid\":\"e\",\"queue\":\"mail2\"}");
    must_refuse(ask_post("/v1/dead/e/requeue"), 409, "wrong_type");
    must_say(ask_with("DELETE", "/v1/dead/d", "", ""), 200,
             "\r\n\r\n{\"jid\":\"d\",\"deleted\":true}\n");
    must_refuse(ask_with("DELETE", "/v1/dead/d", "", ""), 404, "not_found");
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 2);
}
END_TEST

/* Among as many as there can be. */
START_TEST(one_of_ten_thousand)
{
    start_api(NULL);
    must_do(redis, "EVAL %s 0",
            "for i = 1, 10000 do redis.call('ZADD', 'dead', i, string.format("
            "'{\"class\":\"x\",\"args\":[],\"jid\":\"j%d\"}', i)) end");
    must_say(ask_with("DELETE", "/v1/dead/j9999", "", ""), 200, "deleted");
    must_say(ask_post("/v1/dead/j1/requeue"), 200, "default");
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 9998);
}
END_TEST

/* ---- figures ---- */

static char *scrape_api(void)
{
    struct answer a = get("/metrics");
    ck_assert_int_eq(a.status, 200);
    must_be_exposition(a.body);
    char *body = strdup(a.body);
    free(a.text);
    return body;
}

START_TEST(figures)
{
    must_do(redis, "SADD queues a");
    must_do(redis, "LPUSH queue:a 1 2");
    must_do(redis, "ZADD dead 1 x");
    start_api(NULL);
    must_say(get("/v1/stats"), 200,
             "\"enqueued\":2,\"claimed\":0,\"scheduled\":0,\"retries\":0,"
             "\"dead\":1,\"workers\":0,\"busy\":0,\"now\":");
    char *text = scrape_api();
    ck_assert_double_eq(must_value(text, "sluice_queue_size{queue=\"a\"}"), 2);
    ck_assert_double_eq(must_value(text, "sluice_jobs{state=\"dead\"}"), 1);
    ck_assert_double_eq(must_value(text, "sluice_redis_up"), 1);
    ck_assert_double_eq(must_value(text, "sluice_redis_permits{state=\"limit\"}"), 20);
    ck_assert_double_eq(must_value(text, "sluice_redis_connections{state=\"limit\"}"), 50);
    ck_assert_double_eq(must_value(text, "sluice_api_request_seconds_count{status=\"2xx\"}"), 1);
    ck_assert_double_eq(must_value(text, "sluice_api_requests_running"), 1);
    free(text);

    redis_server_stop(&server);
    wait_until(HANG_MS, status_of("/v1/stats") == 503);
    text = scrape_api();
    double value;
    ck_assert_double_eq(must_value(text, "sluice_redis_up"), 0);
    ck_assert(!exposition_value(text, "sluice_queue_size{queue=\"a\"}", &value));
    free(text);
    restart_redis();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: queues, workers, sets, figures");
    TCase *tc = new_case(suite, "queues");
    tcase_add_test(tc, queues_are_listed);
    tcase_add_test(tc, queues_are_paused);
    tcase_add_test(tc, reads_are_shared);
    tc = new_case(suite, "workers");
    tcase_add_test(tc, workers_are_steered);
    tcase_add_test(tc, workers_show_their_gate);
    tcase_add_test(tc, odd_workers_are_shown);
    tc = new_case(suite, "sets");
    tcase_add_test(tc, pages);
    tcase_add_test(tc, pages_are_bounded);
    tcase_add_test(tc, the_dead_are_requeued);
    tcase_add_test(tc, one_of_ten_thousand);
    tc = new_case(suite, "figures");
    tcase_add_test(tc, figures);
    return suite;
}
