/* GET /v1/search: where a job is, by its jid alone. */
#include "test_api.h"

#define JOB(rest) "{\"class\":\"x\",\"args\":[],\"jid\":\"j\"" rest "}"

static void push_many(const char *queue, int n)
{
    must_do(redis, "SADD queues %s", queue);
    must_do(redis, "EVAL %s 0 %s %d",
            "for i = 1, tonumber(ARGV[2]) do redis.call('LPUSH', 'queue:' .. ARGV[1], "
            "string.format('{\"class\":\"x\",\"args\":[],\"jid\":\"%d\"}', i)) end",
            queue, n);
}

START_TEST(nowhere)
{
    start_api(NULL);
    must_say(get("/v1/search?jid=j"), 200,
             "\r\n\r\n{\"jid\":\"j\",\"record\":null,\"events\":0,\"found\":[],"
             "\"truncated\":false}\n");
    must_say(get("/v1/search?jid=%22%C3%A9+"), 200, "{\"jid\":\"\\\"\xc3\xa9 \",");
    must_refuse(get("/v1/search"), 400, "bad_parameter");
    must_refuse(get("/v1/search?jid="), 400, "bad_parameter");
    must_refuse(get("/v1/search?jid=%00"), 400, "bad_parameter");
    char path[256] = "/v1/search?jid=";
    memset(path + strlen(path), 'a', 128);
    ck_assert_int_eq(status_of(path), 200);
    path[strlen(path)] = 'a';
    must_refuse(get(path), 400, "bad_parameter");

    /* Keys of other types, and what merely contains it. */
    must_do(redis, "SADD queues q");
    must_do(redis, "MSET queue:q j retry j dead j sluice:job:j x sluice:stream:j x");
    must_do(redis, "ZADD schedule 1 %s 2 %s", "j",
            "{\"class\":\"j\",\"args\":[\"j\"],\"jid\":\"k\"}");
    must_do(redis, "SADD sluice:workers w:1:x");
    must_do(redis, "SADD processes p:1:x");
    must_do(redis, "MSET sluice:claims:w:1:x j p:1:x:work j");
    must_say(get("/v1/search?jid=j"), 200,
             "{\"jid\":\"j\",\"record\":null,\"events\":0,\"found\":[],\"truncated\":false}\n");
}
END_TEST

START_TEST(everywhere)
{
    static const char all[] =
        "{\"jid\":\"j\",\"record\":{\"jid\":\"j\",\"state\":\"running\"},\"events\":3,\"found\":["
        "{\"in\":\"schedule\",\"score\":4000000000.500000,\"position\":null,\"worker\":null,"
        "\"job\":" JOB(
            ",\"n\":1.10") "},"
                           "{\"in\":\"retry\",\"score\":-5.000000,\"position\":null,\"worker\":"
                           "null,"
                           "\"job\":" JOB(
                               ",\"n\":2") "},"
                                           "{\"in\":\"queue:a\",\"score\":null,\"position\":3,"
                                           "\"worker\":null,"
                                           "\"job\":" JOB(
                                               ",\"n\":3") "},"
                                                           "{\"in\":\"trial:a\",\"score\":null,"
                                                           "\"position\":0,\"worker\":null,"
                                                           "\"job\":" JOB(
                                                               ",\"n\":4") "},"
                                                                           "{\"in\":\"queue:b\","
                                                                           "\"score\":null,"
                                                                           "\"position\":0,"
                                                                           "\"worker\":null,"
                                                                           "\"job\":null,"
                                                                           "\"bytes\":70055},"
                                                                           "{\"in\":\"running\","
                                                                           "\"score\":null,"
                                                                           "\"position\":null,"
                                                                           "\"worker\":\"ruby:1:"
                                                                           "x\","
                                                                           "\"job\":" JOB(
                                                                               ",\"n\":5") "},"
                                                                                           "{\"in\""
                                                                                           ":\"runn"
                                                                                           "ing\","
                                                                                           "\"score"
                                                                                           "\":"
                                                                                           "null,"
                                                                                           "\"posit"
                                                                                           "ion\":"
                                                                                           "null,"
                                                                                           "\"worke"
                                                                                           "r\":"
                                                                                           "\"w:1:"
                                                                                           "x\","
                                                                                           "\"job\""
                                                                                           ":" JOB(
                                                                                               ",\""
                                                                                               "n\""
                                                                                               ":6") "},"
                                                                                                     "{\"in\":\"dead\",\"score\":7.000000,\"position\":null,\"worker\":null,"
                                                                                                     "\"job\":" JOB(
                                                                                                         ",\"n\":7") "}],\"truncated\":false}\n";
    static char large[70101];
    start_api(NULL);
    must_do(redis, "HSET sluice:job:j state running");
    must_do(redis, "RPUSH sluice:stream:j 1 2 3");
    must_do(redis, "ZADD schedule 4000000000.5 %s", JOB(",\"n\":1.10"));
    must_do(redis, "ZADD retry -5 %s", JOB(",\"n\":2"));
    push_many("a", 3); /* these run before it */
    push("a", JOB(",\"n\":3"));
    push_many("a", 2);
    must_do(redis, "RPUSH sluice:trial:a %s", JOB(",\"n\":4"));
    must_do(redis, "SADD queues b");
    memset(large, ' ', 70000);
    (void)snprintf(large + 70000, sizeof large - 70000, "%s",
                   "{\"class\":\"x\",\"args\":[],\"jid\":\"j\",\"n\":[1,2,3,4,5,6,7,8]}");
    push("b", large);
    must_do(redis, "SADD processes ruby:1:x w:1:x");
    must_do(redis, "SADD sluice:workers w:1:x");
    must_do(redis, "HSET ruby:1:x:work t1 %s t2 %s",
            "{\"queue\":\"a\",\"payload\":\"{\\\"class\\\":\\\"x\\\",\\\"args\\\":[],\\\"jid\\\":"
            "\\\"j\\\",\\\"n\\\":5}\",\"run_at\":1}",
            "{\"queue\":\"j\",\"payload\":\"{\\\"class\\\":\\\"x\\\",\\\"args\\\":[\\\"j\\\"]}\"}");
    must_do(redis, "HSET sluice:claims:w:1:x 4 a 5 a");
    must_do(redis, "RPUSH sluice:claim:w:1:x:4 %b %s", "\0settled", (size_t)8, JOB(",\"n\":6"));
    must_do(redis, "ZADD dead 7 %s", JOB(",\"n\":7"));
    struct answer a = get("/v1/search?jid=j");
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(a.body, all);
    free(a.text);
}
END_TEST

/* As soon as a worker has it, before any report. */
START_TEST(in_a_workers_hand)
{
    struct worker_process runner;
    start_api(NULL);
    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "handlers:\n" TEST_HANDLER});
    push("default", "{\"class\":\"test\",\"args\":[{\"gate\":\"/nowhere\"}],\"jid\":\"j\"}");
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") == 0);
    char text[600];
    (void)snprintf(
        text, sizeof text,
        "\"found\":[{\"in\":\"running\",\"score\":null,\"position\":null,\"worker\":\"%s\","
        "\"job\":{\"class\":\"test\",",
        runner.identity);
    must_say(get("/v1/search?jid=j"), 200, text);
    worker_process_kill(&runner);
    worker_process_free(&runner);
}
END_TEST

/* What is far behind is not found, and that is said. */
START_TEST(a_look_is_bounded)
{
    start_api("api: {max_wait: 60}\n");
    push("a", JOB(""));
    push_many("a", 9999);
    must_say(get("/v1/search?jid=j"), 200, "\"position\":0,");
    must_say(get("/v1/search?jid=1"), 200, "\"position\":1,");
    must_say(get("/v1/search?jid=9999"), 200, "\"position\":9999,");
    must_say(get("/v1/search?jid=none"), 200, "\"found\":[],\"truncated\":true}\n"); /* 10,000 */
    push("a", JOB(",\"n\":2"));
    must_do(redis, "RPOP queue:a");
    push("a", "{\"class\":\"x\",\"args\":[],\"jid\":\"behind\"}");
    must_say(get("/v1/search?jid=behind"), 200, "\"found\":[],\"truncated\":true}\n");
    must_do(redis, "LTRIM queue:a 0 9998");
    must_say(get("/v1/search?jid=none"), 200, "\"found\":[],\"truncated\":false}\n");
    for (int i = 0; i < 21; i++) {
        char queue[8];
        (void)snprintf(queue, sizeof queue, "q%02d", i);
        push_many(queue, 9999);
    }
    must_say(get("/v1/search?jid=none"), 200, "\"found\":[],\"truncated\":true}\n");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: search");
    TCase *tc = new_case(suite, "search");
    tcase_add_test(tc, nowhere);
    tcase_add_test(tc, everywhere);
    tcase_add_test(tc, in_a_workers_hand);
    tcase_add_test(tc, a_look_is_bounded);
    return suite;
}
