/* GET /v1/history of a running API: points come by themselves, with Redis and without it. */
#include "support/proxy.h"
#include "test_api.h"

static int64_t number_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    ck_assert_msg(at, "%s is not in %s", name, text);
    return strtoll(at + strlen(name), NULL, 10);
}

static int64_t points(void)
{
    struct answer a = get("/v1/history");
    ck_assert_int_eq(a.status, 200);
    int64_t n = number_behind(a.body, "\"points\":");
    free(a.text);
    return n;
}

static bool tells(const char *path, const char *text)
{
    struct answer a = get(path);
    ck_assert_int_eq(a.status, 200);
    bool is = strstr(a.body, text);
    free(a.text);
    return is;
}

/* The first point is of the start, the second without Redis, in the third it is back. */
START_TEST(points_come_by_themselves)
{
    must_do(redis, "MSET stat:processed 7 stat:failed 3");
    must_do(redis, "SADD queues a b");
    must_do(redis, "LPUSH queue:a 1 2 3");
    must_do(redis, "LPUSH queue:b %s", "{\"class\":\"x\",\"args\":[],\"enqueued_at\":1000.5}");
    must_do(redis, "SADD sluice:workers dead:1:x");
    must_do(redis, "SADD processes a:1:x b:1:x dead:1:x ruby:1:x");
    static const char *const live[] = {"a:1:x", "b:1:x", "dead:1:x"};
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        must_do(redis,
                "HSET %s info {} busy 2 concurrency 10 permits %s connections %s duration_us %s "
                "latency_us {}",
                live[i], "{\"limit\":100,\"in_use\":1,\"waiting\":4,\"peak\":30}",
                "{\"limit\":120,\"open\":9,\"in_use\":8,\"peak\":40}",
                i == 0 ? "{\"1024\":98}" : "{\"1048576\":2}");
    must_do(redis, "HSET ruby:1:x info {} busy 1 concurrency 5");
    start_api("api: {max_wait: 0.2}\n");
    wait_until(HANG_MS, points() == 1);
    struct answer a = get("/v1/history");
    must_say(
        a, 200,
        "],\"processed\":[7],\"failed\":[3],\"enqueued\":[4],\"scheduled\":[0],\"retries\":[0],"
        "\"dead\":[0],\"busy\":[5],\"threads\":[25],\"latency_s\":[");
    must_say(get("/v1/history"), 200,
             "],\"duration_p50_s\":[0.001024],\"duration_p99_s\":[1.048576],\"permits_in_use\":"
             "[60],\"permits_limit\":[200],\"permits_waiting\":[8],\"connections_open\":[80],"
             "\"connections_limit\":[240]}\n");

    redis_server_stop(&server);
    wait_until(HANG_MS, points() == 2);
    ck_assert(tells("/v1/history", "\"processed\":[7,null],"));
    ck_assert(tells("/v1/history", "\"connections_limit\":[240,null]}"));
    restart_redis();
    wait_until(HANG_MS, tells("/v1/history", "\"processed\":[7,null,0")); /* it has forgotten */
    must_say(get("/v1/history"), 200, "\"duration_p99_s\":[1.048576,null,null");

    /* Only what is new. */
    char path[64], text[64];
    struct answer all = get("/v1/history");
    double first = strtod(strstr(all.body, "\"t\":[") + 5, NULL);
    (void)snprintf(path, sizeof path, "/v1/history?after=%.6f", first);
    (void)snprintf(text, sizeof text, "\"points\":%lld,",
                   (long long)number_behind(all.body, "\"points\":") - 1);
    free(all.text);
    must_say(get(path), 200, text);
    must_say(get(path), 200, "\"processed\":[null,0");
    must_say(get("/v1/history?after=99999999999"), 200, "\"t\":[],\"processed\":[],");
    static const char *const bad[] = {"", "x", "-1", "1.", ".5", "1e9", "1.5x", "1234567890123"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)snprintf(path, sizeof path, "/v1/history?after=%s", bad[i]);
        must_refuse(get(path), 400, "bad_parameter");
    }
}
END_TEST

/* A Redis that has stopped answering keeps the sampler waiting, but not those who stop it. */
START_TEST(it_does_not_hold_up_a_stop)
{
    struct proxy proxy = {0};
    char url[64];
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    proxy_trap(&proxy, "SMEMBERS", PROXY_MUTE, 0);
    start_api_at(url, "redis: {socket_timeout: 300}\n", NULL);
    wait_until(HANG_MS, proxy_stats(&proxy).trapped == 1); /* the first point is being read */
    worker_process_signal(&worker, SIGTERM);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0); /* and not after 300 s */
    proxy_stop(&proxy);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: history");
    TCase *tc = new_case(suite, "history");
    tcase_add_test(tc, points_come_by_themselves);
    tcase_add_test(tc, it_does_not_hold_up_a_stop);
    return suite;
}
