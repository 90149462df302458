/* The worker and its Redis: warnings about the server, a server that comes late, a key prefix, and
 * how many connections and commands it costs. */
#include "test_worker.h"

static const char settings[] = "worker: {threads: 4}\nhandlers:\n" TEST_HANDLER;

static void start_server_with(const char *const *extra)
{
    must_start(&server, &(struct redis_server_options){.extra = extra});
    open_redis();
}

#define WARN_PERSIST "Redis does not persist"
#define WARN_EVICT   "Redis may evict jobs"
#define WARN_CLIENTS "the fleet's pools exceed Redis' maxclients"

static const struct {
    const char *extra[5];
    const char *said, *unsaid;
} servers[] = {
    {{"--appendonly", "no"}, WARN_PERSIST, WARN_EVICT},
    {{"--appendonly", "yes"}, "connected to Redis", WARN_PERSIST},
    {{"--save", "3600 1"}, "connected to Redis", WARN_PERSIST},
    {{"--maxmemory-policy", "allkeys-lru"}, WARN_EVICT, WARN_CLIENTS},
    {{"--maxclients", "100"}, WARN_CLIENTS, WARN_EVICT},
    {{"--maxclients", "1000"}, "connected to Redis", WARN_CLIENTS},
};

START_TEST(server_is_looked_at)
{
    start_server_with(servers[_i].extra);
    start_worker(settings);
    wait_said(servers[_i].said);
    push("default", "{\"class\":\"test\",\"args\":[{}]}");
    wait_processed(1);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert(!worker_process_said(&worker, servers[_i].unsaid));
}
END_TEST

/* Two workers whose pools fit one by one, but not together. */
START_TEST(fleet_is_counted)
{
    struct worker_process second = {0};
    start_server_with((const char *const[]){"--maxclients", "200", NULL});
    start_worker(settings);
    wait_said("connected to Redis");
    worker_process_start(&second, &server, &(struct worker_options){.settings = settings});
    wait_until(HANG_MS, worker_process_said(&second, WARN_CLIENTS));
    ck_assert(
        worker_process_said(&second, "replicas=2 max_connections=120 sum=240 maxclients=200"));
    ck_assert(!worker_process_said(&worker, WARN_CLIENTS));
    worker_process_free(&second);
}
END_TEST

START_TEST(server_may_come_later)
{
    start_server_with(NULL);
    redis_server_kill(&server);
    worker_process_spawn(&worker, &server, &(struct worker_options){.settings = settings});
    wait_said("level=warn");
    ck_assert(!worker_process_ended(&worker));
    must_restart(&server);
    redis_conn_free(redis);
    open_redis();
    worker_process_wait_ready(&worker, "");
    push("default", "{\"class\":\"test\",\"args\":[{}]}");
    wait_processed(1);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
}
END_TEST

START_TEST(worker_that_never_met_its_server_stops)
{
    start_server_with(NULL);
    redis_server_kill(&server);
    worker_process_spawn(&worker, &server, &(struct worker_options){.settings = settings});
    wait_said("level=warn");
    ck_assert_int_eq(worker_process_stop(&worker), 0);
}
END_TEST

START_TEST(key_prefix_is_before_every_key)
{
    start_server_with(NULL);
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){.settings = settings,
                                 .env = (const char *const[]){"SLUICE_KEY_PREFIX=app:", NULL}});
    worker_process_wait_ready(&worker, "app:");
    must_do(redis, "LPUSH app:queue:default %s",
            "{\"class\":\"test\",\"jid\":\"j\",\"track\":true,\"args\":[{\"emit\":3}]}");
    must_do(redis, "LPUSH app:queue:default %s",
            "{\"class\":\"test\",\"args\":[{\"outcome\":\"fail\"}]}");
    must_do(redis, "LPUSH app:queue:default %s", "no job");
    must_do(redis, "ZADD app:schedule 1 %s",
            "{\"class\":\"test\",\"jid\":\"long\",\"args\":[{\"sleep_ms\":600000}]}");
    wait_until(HANG_MS, answers_with(redis, "3", "GET app:stat:processed"));
    wait_until(HANG_MS, must_int(redis, "HLEN app:%s:work", worker.identity) == 1);
    ck_assert_int_eq(must_int(redis, "LLEN app:sluice:stream:j"), 4);
    struct reply *keys = must_call(redis, "KEYS *");
    ck_assert_uint_gt(reply_count(keys), 8);
    for (size_t i = 0; i < reply_count(keys); i++) {
        struct slice key = reply_str(reply_at(keys, i));
        ck_assert_msg(key.n > 4 && memcmp(key.p, "app:", 4) == 0, "%.*s", (int)key.n, key.p);
    }
    reply_free(keys);
}
END_TEST

/* Connections of the worker, as the server sees them: it names them. */
static int connections(void)
{
    int n = 0;
    char *list = must_text(redis, "CLIENT LIST");
    for (const char *at = list; (at = strstr(at, " name=sluice-worker:")) != NULL; at++)
        n++;
    free(list);
    return n;
}

static void check_gate(const char *text, int limit, int jobs)
{
    int peak = 0;
    start_server_with(NULL);
    start_worker(text);
    for (int i = 0; i < jobs; i++)
        push("default", "{\"class\":\"test\",\"track\":true,\"args\":[{\"emit\":2000,"
                        "\"sleep_ms\":20}]}");
    while (must_int(redis, "GET stat:processed") < jobs) {
        int now = connections();
        ck_assert_int_le(now, limit);
        peak = now > peak ? now : peak;
    }
    ck_assert_int_gt(peak, 3); /* more than the private ones: it did work while we looked */
    wait_processed(jobs);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
    worker_process_signal(&worker, SIGUSR1);
    wait_said("state: connections");
}

START_TEST(gate_holds_with_few_permits)
{
    check_gate("redis: {max_concurrent_ops: 2, max_connections: 5}\n"
               "worker: {threads: 100}\nhandlers:\n" TEST_HANDLER,
               5, 100);
}
END_TEST

START_TEST(gate_holds_by_default)
{
    check_gate("worker: {threads: 100}\nhandlers:\n" TEST_HANDLER, 120, 200);
}
END_TEST

static int64_t commands(void)
{
    char *info = must_text(redis, "INFO stats");
    const char *at = strstr(info, "total_commands_processed:");
    ck_assert_ptr_nonnull(at);
    int64_t n = strtoll(at + strlen("total_commands_processed:"), NULL, 10);
    free(info);
    return n;
}

static int64_t commands_in(unsigned seconds)
{
    int64_t before = commands();
    (void)sleep(seconds); /* the duration is what is measured */
    return commands() - before - 1;
}

/* Of some seconds: two renewals of the lease with their questions, a whole report to dashboards,
 * four looks at the schedule, a PING, and for each queue the end of its wait. That is when they all
 * fall together, a few seconds after the start; bench/idle has the long run. */
enum { SECONDS = 6, MAX_COMMANDS = 24, MAX_PER_SECOND = 5 };

static const struct {
    const char *settings;
    int more_queues;
} idle[] = {
    {"handlers:\n" TEST_HANDLER, 0},
    {"worker: {queues: [default, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]}\n"
     "handlers:\n" TEST_HANDLER,
     15},
};

/* What scripts call is counted by the server too, so this is the strict reading. On a busy machine
 * the first connections and scripts come late: it is measured from the first calm second on. */
START_TEST(idle_worker_is_cheap)
{
    start_server_with(NULL);
    start_worker(idle[_i].settings);
    push("default", "{\"class\":\"test\",\"args\":[{}]}");
    wait_processed(1);
    wait_until(HANG_MS, must_int(redis, "HEXISTS %s info", worker.identity) == 1);
    wait_said("connected to Redis");
    wait_until(HANG_MS, commands_in(1) <= MAX_PER_SECOND);
    int64_t sent = commands_in(SECONDS);
    ck_assert_int_gt(sent, 0);
    ck_assert_int_le(sent, MAX_COMMANDS + idle[_i].more_queues);
}
END_TEST

static int64_t calls_of(const char *command)
{
    char key[64];
    (void)snprintf(key, sizeof key, "cmdstat_%s:calls=", command);
    char *info = must_text(redis, "INFO commandstats");
    const char *at = strstr(info, key);
    int64_t calls = at ? strtoll(at + strlen(key), NULL, 10) : 0;
    free(info);
    return calls;
}

/* In calm times it renews its lease without a question, as a rule (renew.lua does both). */
START_TEST(calm_worker_still_notices)
{
    static const char lost[] = "{\"class\":\"test\",\"args\":[{}]}";
    const char *id = worker.identity;
    start_server_with(NULL);
    start_worker("worker: {lease: 2}\nhandlers:\n" TEST_HANDLER);
    wait_until(HANG_MS, calls_of("pexpire") > calls_of("hlen"));
    must_do(redis, "LPUSH sluice:claim:%s:999999 %s", id, lost);
    must_do(redis, "HSET sluice:claims:%s 999999 default", id);
    wait_processed(1);
    wait_said("claimed jobs of a lost reply were found");
    must_do(redis, "DEL sluice:lease:%s", id);
    wait_said("lease had lapsed");
    wait_until(HANG_MS, must_int(redis, "EXISTS sluice:lease:%s", id) == 1);
    push("default", lost);
    wait_processed(2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker and its server");
    TCase *tc = tcase_create("server");
    tcase_add_checked_fixture(tc, NULL, tear_down);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    suite_add_tcase(suite, tc);
    tcase_add_loop_test(tc, server_is_looked_at, 0, sizeof servers / sizeof servers[0]);
    tcase_add_test(tc, fleet_is_counted);
    tcase_add_test(tc, server_may_come_later);
    tcase_add_test(tc, worker_that_never_met_its_server_stops);
    tcase_add_test(tc, key_prefix_is_before_every_key);
    tcase_add_test(tc, gate_holds_with_few_permits);
    tcase_add_test(tc, gate_holds_by_default);
    tcase_add_loop_test(tc, idle_worker_is_cheap, 0, sizeof idle / sizeof idle[0]);
    tcase_add_test(tc, calm_worker_still_notices);
    return suite;
}
