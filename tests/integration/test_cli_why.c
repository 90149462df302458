/* sluice why: each place where a job can be has its reason, in a code and in words. */
#include "support/sluice.h"
#include "test_worker.h"

static const char settings[] = "worker: {threads: 1, lease: 1}\nhandlers:\n" TEST_HANDLER;

static const char job[] = "{\"class\":\"test\",\"jid\":\"j\",\"queue\":\"q\",\"args\":[]}";

/* The code and, somewhere, the words; and the same code as JSON. */
static void expect(const char *code, const char *words)
{
    char begin[64];
    int status = strcmp(code, "unknown") == 0;
    struct sluice r = sluice(server.url, NULL, "why", "j");
    (void)snprintf(begin, sizeof begin, "%s: ", code);
    ck_assert_msg(r.status == status && strstr(r.out, begin) == r.out && strstr(r.out, words),
                  "%d, not %s %s: %s%s", r.status, code, words, r.out, r.err);
    sluice_free(&r);
    (void)snprintf(begin, sizeof begin, "{\"jid\":\"j\",\"reason\":\"%s\",\"text\":\"", code);
    r = sluice(server.url, NULL, "why", "j", "--json");
    ck_assert_msg(r.status == status && strstr(r.out, begin) == r.out, "%d: %s%s", r.status, r.out,
                  r.err);
    sluice_free(&r);
}

static bool says(const char *code)
{
    struct sluice r = sluice(server.url, NULL, "why", "j");
    bool is = strncmp(r.out, code, strlen(code)) == 0;
    sluice_free(&r);
    return is;
}

static void wait_reported(const char *field, const char *value)
{
    wait_until(HANG_MS, answers_with(redis, value, "HGET %s %s", worker.identity, field));
}

START_TEST(what_is_unknown)
{
    expect("unknown", "nothing is known of it");
    must_do(redis, "ZADD sluice:cancelled 1700000000 j");
    expect("unknown", "should it come within a day of that, it is stopped");
    struct sluice r = sluice(server.url, NULL, "why");
    ck_assert_int_eq(r.status, 2);
    ck_assert_str_eq(r.err,
                     "sluice why: one jid is wanted; as in: sluice why 3f0a8b1c2d4e5f60718293a4\n");
    sluice_free(&r);
}
END_TEST

START_TEST(what_waits)
{
    must_do(redis, "SADD queues default");
    push("default", "{\"class\":\"test\",\"jid\":\"first\",\"args\":[]}");
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"queue\":\"default\",\"args\":[],"
                    "\"created_at\":1700000000.5,\"enqueued_at\":1700000000500}");
    expect("no-worker",
           "no live worker serves queue default; 1 job of queue default runs before it\n");
    expect("no-worker", "2023-11-14T22:13:20Z");
    must_do(redis, "SADD paused default");
    expect("paused", "queue default is paused (sluice unpause default); 1 job of queue default");
    start_worker(settings);
    wait_reported("quiet", "false");
    wait_until(HANG_MS, workers_listen(1));
    must_do(redis, "PUBLISH sluice:control %s", "{\"cmd\":\"quiet\"}");
    wait_reported("quiet", "true");
    must_do(redis, "DEL paused");
    expect("quiet", "all workers of queue default are quiet (sluice resume)");
    must_do(redis, "DEL queue:default");
    worker_process_signal(&worker, SIGCONT);
    wait_reported("quiet", "false");
    push("default", "{\"class\":\"test\",\"jid\":\"busy\",\"args\":[{\"sleep_ms\":60000}]}");
    wait_reported("busy", "1");
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"args\":[{\"sleep_ms\":60000}]}");
    wait_until(HANG_MS,
               says("waiting: it is the next of queue default; 1 worker of it is at work"));
    must_do(redis, "ZADD sluice:cancelled 1700000000 j");
    expect("cancelling", "is stopped when its turn comes");
    must_do(redis, "DEL sluice:cancelled");
    must_do(redis, "LSET queue:default 0 %s",
            "{\"class\":\"test\",\"jid\":\"j\",\"args\":[],\"expires_at\":5}");
    expect("expiring", "is dropped when its turn comes");
    must_do(redis, "DEL queue:default");
}
END_TEST

START_TEST(what_comes_later)
{
    must_do(redis, "ZADD schedule 4000000000 %s", job);
    expect("scheduled", "it goes to queue q in ");
    must_do(redis, "DEL schedule");
    must_do(redis, "ZADD schedule 1700000000 %s", job);
    expect("due", "and no worker is up to move it");
    must_do(redis, "DEL schedule");
    must_do(redis, "ZADD retry 4000000000 %s",
            "{\"class\":\"test\",\"jid\":\"j\",\"queue\":\"q\",\"args\":[],\"retry_count\":1,"
            "\"failed_at\":1700000000.0,\"retried_at\":1700000100.0,\"error_class\":\"Boom\","
            "\"error_message\":\"no \\u001b luck\"}");
    expect("retrying", "having failed 2 times: Boom: no ? luck\n");
    expect("retrying", "failed for the first time");
    must_do(
        redis, "ZADD dead 1700000200 %s",
        "{\"class\":\"test\",\"jid\":\"j\",\"args\":[],\"retry_count\":25,\"error_class\":\"E\"}");
    expect("retrying", "Boom"); /* an old one of the same jid does not count */
    must_do(redis, "DEL retry");
    expect("dead", ", after 26 failures: E (sluice dead requeue runs it again)");
    must_do(redis, "DEL dead");
    must_do(redis, "SADD queues q");
    must_do(redis, "RPUSH sluice:trial:q %s", job);
    expect("trial", "it is on trial: its workers died 3 times");
    must_do(redis, "EVAL %s 0 %s",
            "redis.call('SADD', 'sluice:deliveries:' .. redis.sha1hex(ARGV[1]), 'h:1:abc')", job);
    expect("trial", "; it was recovered after the end of h:1:abc\n");
}
END_TEST

START_TEST(what_runs)
{
    char words[500];
    start_worker(settings);
    push("default",
         "{\"class\":\"test\",\"jid\":\"j\",\"track\":true,\"args\":[{\"sleep_ms\":60000}]}");
    wait_until(HANG_MS, answers_with(redis, "running", "HGET sluice:job:j state"));
    (void)snprintf(words, sizeof words, "running: %s runs it since ", worker.identity);
    expect("running", words);
    expect("running", ", as attempt 1\n");
    worker_process_kill(&worker);
    wait_until(HANG_MS, must_int(redis, "EXISTS sluice:lease:%s", worker.identity) == 0);
    (void)snprintf(words, sizeof words, "its worker %s is gone: no other is up to give it back",
                   worker.identity);
    expect("recovering", words);
    must_do(redis, "ZADD sluice:cancelled 1700000000 j");
    must_do(redis, "EVAL %s 0",
            "for _, k in ipairs(redis.call('KEYS', 'sluice:claim*')) do redis.call('DEL', k) end");
    expect("lost", "its record says \"running\", and it is nowhere");
}
END_TEST

static const struct ended {
    const char *state, *error_class, *code, *words;
} ends[] = {
    {"completed", "", "completed", "it is done, since "},
    {"stopped", "Cancelled", "cancelled", "it was stopped by an order to cancel it, "},
    {"stopped", "Expired", "expired", "it expired before it ran, "},
    {"stopped", "Deleted", "deleted", "it was deleted before it ran, "},
    {"failed", "Boom", "failed", ": Boom: why"},
    {"dead", "Boom", "removed", "and was taken out of dead since: Boom: why"},
};

START_TEST(what_has_ended)
{
    const struct ended *e = &ends[_i];
    must_do(redis,
            "HSET sluice:job:j state %s error_class %s error why started_at 1700000000 "
            "finished_at 1700000001 attempt 3 worker w",
            e->state, e->error_class);
    expect(e->code, e->words);
    expect(e->code, "attempt 3 started on w");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("why");
    TCase *tc = new_case(suite, "why");
    tcase_add_test(tc, what_is_unknown);
    tcase_add_test(tc, what_waits);
    tcase_add_test(tc, what_comes_later);
    tcase_add_test(tc, what_runs);
    tcase_add_loop_test(tc, what_has_ended, 0, sizeof ends / sizeof ends[0]);
    return suite;
}
