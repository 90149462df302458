/* What the API shows of the jobs that run: by reports of our workers, of Sidekiq's, and of nobody.
 */
#include "test_api.h"

/* A process of Sidekiq that lives. */
static void add_process(const char *identity)
{
    must_do(redis, "SADD processes %s", identity);
    must_do(redis, "HSET %s busy 1 beat 1 info {}", identity);
}

static void report(const char *identity, const char *thread, const char *text)
{
    must_do(redis, "HSET %s:work %s %s", identity, thread, text);
}

static bool runs(const char *text)
{
    struct answer a = get("/v1/running");
    ck_assert_int_eq(a.status, 200);
    bool is = strstr(a.body, text);
    free(a.text);
    return is;
}

START_TEST(our_own)
{
    struct worker_process runner;
    char text[600];
    start_api(NULL);
    must_say(get("/v1/running"), 200, "\r\n\r\n{\"total\":0,\"jobs\":[]}\n");
    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "handlers:\n" TEST_HANDLER});
    push("default", "{\"class\":\"test\",\"args\":[{\"gate\":\"/nowhere\"}, 1.10],\"jid\":\"g\"}");
    (void)snprintf(text, sizeof text,
                   "{\"total\":1,\"jobs\":[{\"jid\":\"g\",\"class\":\"test\",\"queue\":\"default\","
                   "\"worker\":\"%s\",\"started_at\":1",
                   runner.identity);
    wait_until(HANG_MS, runs(text));
    must_say(get("/v1/running"), 200,
             ".000000,\"job\":{\"class\":\"test\",\"args\":[{\"gate\":\"/nowhere\"}, 1.10],"
             "\"jid\":\"g\",\"queue\":\"default\"}}]}\n");

    /* Its report outlives it, but it runs nothing any more. */
    worker_process_kill(&runner);
    must_do(redis, "DEL sluice:lease:%s", runner.identity);
    wait_until(HANG_MS, runs("{\"total\":0,\"jobs\":[]}"));
    ck_assert_int_eq(must_int(redis, "EXISTS %s:work", runner.identity), 1);
    worker_process_free(&runner);
}
END_TEST

START_TEST(of_others)
{
    start_api(NULL);
    add_process("a:1:x");
    add_process("b:1:x");
    report(
        "a:1:x", "t3",
        "{\"queue\":\"q\",\"payload\":\"{\\\"class\\\":\\\"C\\\",\\\"args\\\":[\\\"\\\\\\\"run_at"
        "\\\\\\\":9\\\"],\\\"jid\\\":\\\"j\\\",\\\"n\\\":12345678901234567890}\",\"run_at\":30}");
    report("b:1:x", "t1",
           "{\"queue\":\"q\",\"payload\":{\"class\":\"Old\",\"args\":[]},\"run_at\":20}");
    report("b:1:x", "t2", "{\"queue\":\"q\",\"payload\":\"[1]\",\"run_at\":10.5}");
    report("b:1:x", "t3", "{\"queue\":7,\"payload\":\"no json\", \"run_at\": 40}");
    report("b:1:x", "t4", "no json");
    /* Not of processes that live. */
    report("c:1:x", "t1", "{\"queue\":\"q\",\"payload\":\"{}\",\"run_at\":1}");
    must_do(redis, "SADD processes d:1:x");
    report("d:1:x", "t1", "{\"queue\":\"q\",\"payload\":\"{}\",\"run_at\":1}");
    add_process("e:1:x");
    must_do(redis, "SADD sluice:workers e:1:x");
    report("e:1:x", "t1", "{\"queue\":\"q\",\"payload\":\"{}\",\"run_at\":1}");
    add_process("f:1:x");
    must_do(redis, "SET f:1:x:work text");
    add_process("g:1:x"); /* Sidekiq up to 6.4.1 */
    must_do(redis, "HSET g:1:x:workers t1 %s", "{\"queue\":\"q\",\"payload\":\"{}\",\"run_at\":5}");

    static const char all[] =
        "{\"total\":6,\"jobs\":["
        "{\"jid\":null,\"class\":null,\"queue\":\"q\",\"worker\":\"g:1:x\","
        "\"started_at\":5.000000,\"job\":{}},"
        "{\"jid\":null,\"class\":null,\"queue\":\"q\",\"worker\":\"b:1:x\","
        "\"started_at\":10.500000},"
        "{\"jid\":null,\"class\":\"Old\",\"queue\":\"q\",\"worker\":\"b:1:x\","
        "\"started_at\":20.000000,\"job\":{\"class\":\"Old\",\"args\":[]}},"
        "{\"jid\":\"j\",\"class\":\"C\",\"queue\":\"q\",\"worker\":\"a:1:x\","
        "\"started_at\":30.000000,\"job\":{\"class\":\"C\",\"args\":[\"\\\"run_at\\\":9\"],"
        "\"jid\":\"j\",\"n\":12345678901234567890}},"
        "{\"jid\":null,\"class\":null,\"queue\":null,\"worker\":\"b:1:x\","
        "\"started_at\":40.000000},"
        "{\"jid\":null,\"class\":null,\"queue\":null,\"worker\":\"b:1:x\",\"started_at\":null}"
        "]}\n";
    must_say(get("/v1/running"), 200, all);
    must_say(get("/v1/running?limit=1"), 200,
             "{\"total\":6,\"jobs\":[{\"jid\":null,\"class\":null,\"queue\":\"q\",\"worker\":"
             "\"g:1:x\",\"started_at\":5.000000,\"job\":{}}]}\n");
    must_refuse(get("/v1/running?limit=0"), 400, "bad_parameter");
    must_refuse(get("/v1/running?limit=1001"), 400, "bad_parameter");
}
END_TEST

/* 20,000 jobs of 200 processes, and one report as long as none may be. */
START_TEST(bounds)
{
    enum { PROCESSES = 200, THREADS = 100 };
    int at = 0;
    char text[256];
    must_do(redis, "EVAL %s 0",
            "for p = 1, 200 do local id = string.format('h:%03d:x', p) "
            "redis.call('SADD', 'processes', id) redis.call('HSET', id, 'info', '{}') "
            "for t = 1, 100 do redis.call('HSET', id .. ':work', 't' .. t, string.format("
            "'{\"queue\":\"q\",\"payload\":\"{}\",\"run_at\":%d}', 1000 + (p * 7919 + t * 104729) "
            "% 20000)) end end "
            "redis.call('HSET', 'h:001:x:work', 't1', '{\"queue\":\"q\",\"payload\":\"' .. "
            "string.rep('x', 1e6) .. '\",\"run_at\":1}')");
    start_api("api: {max_wait: 60}\n");
    struct answer a = get("/v1/running");
    ck_assert_int_eq(a.status, 200);
    (void)snprintf(text, sizeof text,
                   "{\"total\":%d,\"jobs\":[{\"jid\":null,\"class\":null,\"queue\":null,\"worker\":"
                   "\"h:001:x\",\"started_at\":1.000000},",
                   PROCESSES * THREADS);
    ck_assert_ptr_nonnull(strstr(a.body, text));
    double last = 0;
    for (const char *job = a.body; (job = strstr(job, "\"started_at\":")); job++, at++) {
        double started_at = strtod(job + 13, NULL);
        ck_assert_double_ge(started_at, last);
        last = started_at;
    }
    ck_assert_int_eq(at, 1000);
    /* The oldest twentieth of all would end at 2000; of half of them, which are looked at, later.
     */
    ck_assert_double_lt(last, 1000 + 20000 / 8.0);
    free(a.text);
}
END_TEST

START_TEST(without_redis)
{
    start_api("api: {max_wait: 0.2}\n");
    redis_server_stop(&server);
    must_refuse(get("/v1/running"), 503, "redis_unavailable");
    restart_redis();
    wait_until(HANG_MS, status_of("/v1/running") == 200);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: running jobs");
    TCase *tc = new_case(suite, "running");
    tcase_add_test(tc, our_own);
    tcase_add_test(tc, of_others);
    tcase_add_test(tc, bounds);
    tcase_add_test(tc, without_redis);
    return suite;
}
