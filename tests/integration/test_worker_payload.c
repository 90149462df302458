/* Payloads are sacred: what belongs to the user comes back byte for byte, whatever happens to the
 * job; and big ones neither break nor block anything. */
#include "test_worker.h"

enum { BIG = 5 << 20, CAP = 4096 };

/* The handler sees the bytes as they are, and fails. */
static const char failing[] = "handlers:\n"
                              "  - {class: fail, exec: [sh, -c, \"cat >>seen; exit 1\"]}\n" //
    TEST_HANDLER;

static const char capped[] = "worker: {max_payload: 4096, queues: [default, other]}\n"
                             "handlers:\n" TEST_HANDLER;

#define ARGS    "\"args\":[9007199254740993, [], {}, 1.10, \"\\u00e9\", 1e400, -0.0]"
#define UNKNOWN "\"custom\":{\"z\":1.10,\"a\":[],\"e\":{}}"
#define BIG_INT "\"big\":12345678901234567890"

static void check_untouched(const char *text)
{
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(strstr(text, ARGS));
    ck_assert_ptr_nonnull(strstr(text, UNKNOWN));
    ck_assert_ptr_nonnull(strstr(text, BIG_INT));
}

/* The one member of a sorted set; NULL when it is empty. free() it. */
static char *member_of(const char *key)
{
    struct reply *reply = must_call(redis, "ZRANGE %s 0 -1", key);
    struct slice s = reply_str(reply_at(reply, 0));
    char *text = reply_count(reply) == 1 ? strndup(s.p, s.n) : NULL;
    reply_free(reply);
    return text;
}

START_TEST(failures_keep_the_bytes)
{
    start_worker(failing);
    push("default",
         "{\"class\":\"fail\",\"jid\":\"p1\"," UNKNOWN "," ARGS "," BIG_INT ",\"retry\":2}");
    for (int failure = 1; failure <= 2; failure++) {
        char *job = NULL, count[32];
        (void)snprintf(count, sizeof count, "\"retry_count\":%d", failure - 1);
        wait_until(HANG_MS, (free(job), job = member_of("retry")) && strstr(job, count));
        check_untouched(job);
        must_do(redis, "ZADD retry XX 0 %s", job); /* due at once */
        free(job);
    }
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 1);
    char *job = member_of("dead");
    check_untouched(job);
    free(job);
    ck_assert_int_eq(must_int(redis, "ZCARD retry"), 0);

    char *seen = worker_process_file(&worker, "seen");
    const char *at = seen;
    for (int run = 1; run <= 3; run++) {
        at = strstr(at, ARGS);
        ck_assert_ptr_nonnull(at);
        at += strlen(ARGS);
    }
    ck_assert_ptr_null(strstr(at, ARGS));
    free(seen);
}
END_TEST

static struct slice big_job(const char *class, size_t n)
{
    struct buf job = {0};
    buf_printf(&job, "{\"class\":\"%s\",\"args\":[{\"pad\":\"", class);
    while (job.n < n)
        buf_puts(&job, "0123456789abcdef");
    buf_puts(&job, "\"}]}");
    ck_assert_int_eq(buf_error(&job), 0);
    return buf_slice(&job);
}

static void release(struct slice job)
{
    free((char *)job.p);
}

START_TEST(big_job_runs)
{
    start_worker(failing);
    struct slice job = big_job("test", BIG);
    must_push(redis, "queue:default", job);
    wait_processed(1);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead stat:failed"), 0);
    release(job);
}
END_TEST

START_TEST(big_job_fails_whole)
{
    start_worker(failing);
    struct slice job = big_job("fail", BIG);
    must_push(redis, "queue:default", job);
    wait_until(HANG_MS, must_int(redis, "ZCARD retry") == 1);
    struct reply *retry = must_call(redis, "ZRANGE retry 0 -1");
    struct slice kept = reply_str(reply_at(retry, 0));
    size_t same = job.n - 1; /* all but the brace at the end */
    ck_assert_uint_gt(kept.n, job.n);
    ck_assert_int_eq(memcmp(kept.p, job.p, same), 0);
    reply_free(retry);
    release(job);
}
END_TEST

static void check_oversize(bool worker_first)
{
    struct slice job = big_job("test", 2 * CAP);
    if (worker_first) {
        start_worker(capped);
        push("default", "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}");
        wait_processed(1); /* it is idle now, or soon */
    }
    must_push(redis, "queue:default", job);
    push("default", "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}");
    push("other", "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}");
    if (!worker_first)
        start_worker(capped);
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 1);
    struct reply *score = must_call(redis, "ZSCORE dead %b", job.p, job.n); /* raw */
    ck_assert_int_ne(reply_type(score), REPLY_NIL);
    reply_free(score);
    int starts = worker_first ? 3 : 2;
    wait_until(HANG_MS, times_in_file("ran", " end\n") == starts);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 0);
    release(job);
}

START_TEST(oversize_job_found_in_a_full_queue_is_dead)
{
    check_oversize(false);
}
END_TEST

START_TEST(oversize_job_for_an_idle_worker_is_dead)
{
    check_oversize(true);
}
END_TEST

/* Every way into dead keeps its bounds: 10,000 entries, 180 days. */
START_TEST(dead_is_trimmed_whoever_adds_to_it)
{
    enum { KEPT = 10000 };
    static const char fill[] =
        "for i = 1, 10050 do "
        "redis.call('ZADD', 'dead', redis.call('TIME')[1] - i, 'd' .. i) end";
    struct slice job = big_job("test", 2 * CAP);
    must_do(redis, "EVAL %s 0", fill);
    must_do(redis, "ZADD dead 1 old");
    if (_i == 0)
        must_push(redis, "queue:default", job); /* claim.lua */
    else if (_i == 1)
        must_do(redis, "ZADD schedule 1 %b", job.p, job.n); /* due.lua */
    else
        must_do(redis, "ZADD schedule 1 nothing"); /* promote.lua */
    start_worker(capped);
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == KEPT);
    ck_assert(answers_with(redis, NULL, "ZSCORE dead old"));
    ck_assert(answers_with(redis, NULL, "ZSCORE dead d%d", KEPT));
    ck_assert_int_eq(must_int(redis, "EXISTS schedule queue:default"), 0);
    must_do(redis, "DEL dead");
    must_do(redis, "EVAL %s 0", fill);
    push("default", "nothing"); /* settle.lua */
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == KEPT);
    release(job);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker keeps payloads");
    TCase *tc = new_case(suite, "payload");
    tcase_add_test(tc, failures_keep_the_bytes);
    tcase_add_test(tc, big_job_runs);
    tcase_add_test(tc, big_job_fails_whole);
    tcase_add_test(tc, oversize_job_found_in_a_full_queue_is_dead);
    tcase_add_test(tc, oversize_job_for_an_idle_worker_is_dead);
    tcase_add_loop_test(tc, dead_is_trimmed_whoever_adds_to_it, 0, 3);
    return suite;
}
