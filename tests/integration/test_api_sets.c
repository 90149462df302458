/* What the API does to jobs in retry, schedule and dead: to one, and to many at once. */
#include "test_api.h"

static const char *const sets[] = {"retry", "schedule", "dead"};
enum { RETRY, SCHEDULE, DEAD, SETS };

static struct answer ask_post(const char *path)
{
    return ask_with("POST", path, "", "");
}

static struct answer ask_delete(const char *path)
{
    return ask_with("DELETE", path, "", "");
}

static const char *path_of(int set, const char *rest)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "/v1/%s%s", sets[set], rest);
    return path;
}

static void add(int set, double score, const char *entry)
{
    must_do(redis, "ZADD %s %f %b", sets[set], score, entry, strlen(entry));
}

/* ---- one ---- */

/* What only waits is brought forward, byte for byte. */
START_TEST(waiting_ones_run_now)
{
    static const char job[] =
        "{\"class\" : \"x\",\"args\":[12345678901234567890, []],\"jid\":\"j\","
        "\"queue\":\"mail\",\"retry_count\":3,\"at\":4e9,\"error_class\":\"E\"}";
    start_api(NULL);
    for (int set = RETRY; set <= SCHEDULE; set++) {
        add(set, 4e9, job);
        add(set, 4e9, "not j");
        must_do(redis, "ZADD sluice:cancelled 1 j");
        must_refuse(ask_post(path_of(set, "/other/requeue")), 404, "not_found");
        must_say(ask_post(path_of(set, "/j/requeue")), 200,
                 "\r\n\r\n{\"jid\":\"j\",\"queue\":\"mail\"}\n");
        ck_assert(answers_with(redis, job, "LPOP queue:mail"));
        ck_assert_int_eq(must_int(redis, "SISMEMBER queues mail"), 1);
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 1);
        ck_assert_int_eq(must_int(redis, "ZCARD sluice:cancelled"), 1); /* the order stands */
        must_refuse(ask_post(path_of(set, "/j/requeue")), 404, "not_found");

        /* The queue is no list: the job stays. */
        must_do(redis, "SET queue:mail text");
        add(set, 4e9, job);
        must_refuse(ask_post(path_of(set, "/j/requeue")), 409, "wrong_type");
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 2);
        must_do(redis, "DEL queue:mail");
    }
    /* A retry may have a queue of its own; a job of no queue is of the default one. */
    add(RETRY, 1,
        "{\"class\":\"x\",\"args\":[],\"jid\":\"own\",\"queue\":\"a\",\"retry_queue\":\"b\","
        "\"retry_count\":0}");
    must_say(ask_post("/v1/retry/own/requeue"), 200, "\"queue\":\"b\"}\n");
    add(SCHEDULE, 1, "{\"class\":\"x\",\"args\":[],\"jid\":\"bare\"}");
    must_say(ask_post("/v1/schedule/bare/requeue"), 200, "\"queue\":\"default\"}\n");
}
END_TEST

/* A job that was cancelled does not run because somebody is in a hurry. */
START_TEST(an_order_to_cancel_stands)
{
    struct worker_process runner;
    start_api(NULL);
    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "handlers:\n" TEST_HANDLER});
    add(SCHEDULE, 4e9, "{\"class\":\"test\",\"args\":[{}],\"jid\":\"c\",\"track\":true}");
    must_do(redis, "ZADD sluice:cancelled %d c", (int)(clock_wall_us() / 1000000));
    must_do(redis, "PUBLISH sluice:control %s", "{\"cmd\":\"cancel\",\"jid\":\"c\"}");
    must_say(ask_post("/v1/schedule/c/requeue"), 200, "default");
    wait_until(HANG_MS, answers_with(redis, "stopped", "HGET sluice:job:c state"));
    ck_assert_int_eq(worker_process_stop(&runner), 0);
    worker_process_free(&runner);
}
END_TEST

START_TEST(one_is_deleted)
{
    static const char tracked[] = "{\"class\":\"x\",\"args\":[],\"jid\":\"t\",\"track\":true}";
    static const char plain[] = "{\"class\":\"x\",\"args\":[],\"jid\":\"p\"}";
    start_api("worker: {stream_ttl: 500}\n");
    for (int set = 0; set < SETS; set++) {
        must_do(redis, "DEL sluice:job:t sluice:stream:t");
        add(set, 1, tracked);
        add(set, 2, plain);
        add(set, 3, "no job");
        must_refuse(ask_delete(path_of(set, "/other")), 404, "not_found");
        must_say(ask_delete(path_of(set, "/t")), 200, "\r\n\r\n{\"jid\":\"t\",\"deleted\":true}\n");
        must_say(ask_delete(path_of(set, "/p")), 200, "{\"jid\":\"p\",\"deleted\":true}\n");
        must_refuse(ask_delete(path_of(set, "/t")), 404, "not_found");
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 1);
        ck_assert_int_eq(must_int(redis, "EXISTS sluice:cancelled sluice:job:p sluice:stream:p"),
                         0);
        /* Whoever follows it hears of the end; a dead one had its own. */
        bool told = set != DEAD;
        ck_assert_int_eq(must_int(redis, "EXISTS sluice:job:t sluice:stream:t"), told ? 2 : 0);
        if (told) {
            must_say(get("/v1/jobs/t"), 200,
                     "{\"jid\":\"t\",\"state\":\"stopped\",\"finished_at\":");
            must_say(get("/v1/jobs/t"), 200,
                     "\"error_class\":\"Deleted\",\"error\":\"deleted before it ran\"}\n");
            ck_assert(answers_with(redis, "{\"type\":\"status\",\"status\":\"stopped\"}",
                                   "LINDEX sluice:stream:t -1"));
            ck_assert_int_le(must_int(redis, "TTL sluice:stream:t"), 500);
        }
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: sets of jobs");
    TCase *tc = new_case(suite, "one");
    tcase_add_test(tc, waiting_ones_run_now);
    tcase_add_test(tc, an_order_to_cancel_stands);
    tcase_add_test(tc, one_is_deleted);
    return suite;
}
