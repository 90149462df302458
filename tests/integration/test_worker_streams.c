/* Output of jobs: in order, numbered, published, bounded in time, and only where it is wanted. */
#include "test_worker.h"

#include <sys/stat.h>

enum { FLOOD = 20000 };

static const char settings[] =
    "worker: {threads: 4, stream_max_events: 50000}\n"
    "handlers:\n" TEST_HANDLER
    "  - {class: lines, exec: [sh, -c, \"echo '{\\\"n\\\": 1}'; echo two words; echo 3; echo "
    "'[]'\"]}\n"
    "  - {class: flood, exec: [seq, \"20000\"]}\n"
    "  - {class: mute, stream: false, exec: [sh, -c, \"echo unheard\"]}\n"
    "  - {class: dies, exec: [sh, -c, \"echo last words; exit 100\"]}\n"
    "  - {class: fails, exec: [sh, -c, \"echo try $SLUICE_ATTEMPT; exit 1\"]}\n";

static const char completed[] = "{\"type\":\"status\",\"status\":\"completed\"}";

static const char first_attempt[] = "{\"type\":\"attempt\",\"attempt\":1}";

static struct reply *stream_of(const char *jid)
{
    return must_call(redis, "LRANGE sluice:stream:%s 0 -1", jid);
}

static bool last_is(const char *jid, const char *event)
{
    return answers_with(redis, event, "LINDEX sluice:stream:%s -1", jid);
}

static int64_t length_of(const char *jid)
{
    return must_int(redis, "LLEN sluice:stream:%s", jid);
}

static void check_events(const char *jid, const char *const *events)
{
    struct reply *stream = stream_of(jid);
    size_t n = 0;
    for (; events[n]; n++) {
        struct slice event = reply_str(reply_at(stream, n));
        ck_assert_msg(slice_is(event, events[n]), "event %zu is %.*s, not %s", n + 1, (int)event.n,
                      event.p, events[n]);
    }
    ck_assert_uint_eq(reply_count(stream), n);
    reply_free(stream);
}

START_TEST(lines_are_events_in_order)
{
    start_worker(settings);
    push("default", "{\"class\":\"lines\",\"jid\":\"j\",\"args\":[]}");
    wait_until(HANG_MS, last_is("j", completed));
    check_events("j",
                 (const char *const[]){"{\"n\": 1}", "\"two words\"", "3", "[]", completed, NULL});
    int64_t ttl = must_int(redis, "TTL sluice:stream:j");
    ck_assert_int_gt(ttl, 86400 - 120);
    ck_assert_int_le(ttl, 86400);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:job:j"), 0); /* it is not tracked */
}
END_TEST

START_TEST(viewers_are_told_the_length)
{
    struct redis_options to = server_options(&server);
    struct redis_conn *viewer = must_open(&to);
    must_do(viewer, "SUBSCRIBE sluice:stream:j");
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"args\":[{\"emit\":500}]}");
    int64_t seen = 0;
    while (seen < 501) {
        struct reply *message = NULL;
        struct err err = {""};
        if (redis_conn_read(viewer, &message, &err) != 0)
            ck_abort_msg("after %lld events: %s", (long long)seen, err.text);
        ck_assert(slice_is(reply_str(reply_at(message, 0)), "message"));
        int64_t length = reply_int(reply_at(message, 2));
        ck_assert_int_gt(length, seen);
        seen = length;
        reply_free(message);
    }
    ck_assert_int_eq(must_int(redis, "LLEN sluice:stream:j"), seen);
    ck_assert(last_is("j", completed));
    redis_conn_free(viewer);
}
END_TEST

START_TEST(flood_stays_in_order)
{
    char text[16];
    start_worker(settings);
    push("default", "{\"class\":\"flood\",\"jid\":\"j\",\"args\":[]}");
    wait_until(HANG_MS, last_is("j", completed));
    struct reply *stream = stream_of("j");
    ck_assert_uint_eq(reply_count(stream), FLOOD + 1);
    for (int i = 0; i < FLOOD; i++) {
        (void)snprintf(text, sizeof text, "%d", i + 1);
        ck_assert(slice_is(reply_str(reply_at(stream, (size_t)i)), text));
    }
    reply_free(stream);
}
END_TEST

START_TEST(many_streams_do_not_mix)
{
    enum { JOBS = 12, EVENTS = 800 };
    char text[128];
    start_worker(settings);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"class\":\"test\",\"jid\":\"j%d\",\"args\":[{\"emit\":%d}]}", i,
                       EVENTS + i);
        push("default", text);
    }
    wait_processed(JOBS);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(text, sizeof text, "j%d", i);
        struct reply *stream = stream_of(text);
        ck_assert_uint_eq(reply_count(stream), (size_t)(EVENTS + i + 1));
        for (int n = 0; n < EVENTS + i; n++) {
            (void)snprintf(text, sizeof text, "{\"n\":%d}", n + 1);
            ck_assert(slice_is(reply_str(reply_at(stream, (size_t)n)), text));
        }
        reply_free(stream);
    }
}
END_TEST

START_TEST(full_stream_is_cut_with_a_mark)
{
    start_worker("worker: {threads: 2, stream_max_events: 10}\nhandlers:\n" TEST_HANDLER);
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"args\":[{\"emit\":5000}]}");
    wait_until(HANG_MS, last_is("j", completed));
    ck_assert(answers_with(redis, "{\"n\":10}", "LINDEX sluice:stream:j 9"));
    ck_assert(answers_with(redis, "{\"type\":\"truncated\"}", "LINDEX sluice:stream:j 10"));
    ck_assert_int_eq(must_int(redis, "LLEN sluice:stream:j"), 12);
    wait_processed(1);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
}
END_TEST

START_TEST(stream_can_be_turned_off)
{
    start_worker(settings);
    push("default", "{\"class\":\"mute\",\"jid\":\"j\",\"track\":true,\"args\":[]}");
    wait_until(HANG_MS, answers_with(redis, "completed", "HGET sluice:job:j state"));
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:stream:j"), 0);
}
END_TEST

START_TEST(silent_job_costs_no_stream)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"args\":[{\"result\":1}]}");
    wait_processed(1);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:stream:j sluice:job:j"), 0);
}
END_TEST

START_TEST(silent_tracked_job_has_its_end)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"track\":true,\"args\":[{}]}");
    wait_until(HANG_MS, last_is("j", completed));
    check_events("j", (const char *const[]){completed, NULL});
    ck_assert_int_gt(must_int(redis, "TTL sluice:stream:j"), 0);
}
END_TEST

START_TEST(end_says_how)
{
    start_worker(settings);
    push("default", "{\"class\":\"dies\",\"jid\":\"d\",\"args\":[]}");
    push("default", "{\"class\":\"fails\",\"jid\":\"f\",\"retry\":false,\"args\":[]}");
    wait_processed(2);
    check_events("d", (const char *const[]){"\"last words\"",
                                            "{\"type\":\"status\",\"status\":\"dead\"}", NULL});
    check_events("f", (const char *const[]){"\"try 1\"",
                                            "{\"type\":\"status\",\"status\":\"failed\"}", NULL});
}
END_TEST

static void retry_now(void)
{
    struct reply *retry = must_call(redis, "ZRANGE retry 0 -1");
    struct slice job = reply_str(reply_at(retry, 0));
    must_do(redis, "ZADD retry XX 0 %b", job.p, job.n);
    reply_free(retry);
}

/* A viewer goes on watching over the attempts; the status comes once, when it is final. */
START_TEST(attempts_share_the_stream)
{
    start_worker(settings);
    push("default", "{\"class\":\"fails\",\"jid\":\"f\",\"retry\":1,\"args\":[]}");
    wait_processed(1);
    check_events("f", (const char *const[]){"\"try 1\"", NULL});
    retry_now();
    wait_processed(2);
    check_events("f", (const char *const[]){"\"try 1\"", "{\"type\":\"attempt\",\"attempt\":2}",
                                            "\"try 2\"",
                                            "{\"type\":\"status\",\"status\":\"dead\"}", NULL});
}
END_TEST

START_TEST(last_attempt_that_is_silent_has_its_end)
{
    start_worker(
        "handlers:\n"
        "  - {class: once, exec: [sh, -c, \"[ $SLUICE_ATTEMPT = 2 ] || { echo it fails; exit "
        "1; }\"]}\n");
    push("default", "{\"class\":\"once\",\"jid\":\"o\",\"retry\":1,\"args\":[]}");
    wait_processed(1);
    retry_now();
    wait_processed(2);
    check_events("o", (const char *const[]){"\"it fails\"", completed, NULL});
}
END_TEST

/* ---- what a dead worker leaves ---- */

/* The first run of a job says so and hangs; what further runs say is theirs. */
static void start_killable(const char *later)
{
    char text[600];
    (void)snprintf(text, sizeof text,
                   "worker: {lease: 1, threads: 1}\n"
                   "handlers:\n"
                   "  - {class: job, exec: [sh, -c, \"mkdir %s/$SLUICE_JID && echo begun && exec "
                   "sleep 10; %s\"]}\n",
                   server.dir, later);
    start_worker(text);
}

/* Kills the worker that runs the job, and starts another that has no part in it yet: the dead one
 * keeps its lease until it is taken away. */
static void replace_killed(const char *jid, const char *later)
{
    wait_until(HANG_MS, length_of(jid) == 1);
    worker_process_kill(&worker);
    worker_process_free(&worker);
    struct reply *dead = must_call(redis, "SMEMBERS sluice:workers");
    must_do(redis, "SET sluice:lease:%s 0", reply_str(reply_at(dead, 0)).p);
    start_killable(later);
    reply_free(dead);
}

static void end_leases(void)
{
    struct reply *leases = must_call(redis, "KEYS sluice:lease:*");
    for (size_t i = 0; i < reply_count(leases); i++)
        if (must_int(redis, "TTL %s", reply_str(reply_at(leases, i)).p) == -1)
            must_do(redis, "DEL %s", reply_str(reply_at(leases, i)).p);
    reply_free(leases);
}

START_TEST(run_after_a_death_is_marked)
{
    start_killable("echo again");
    push("default", "{\"class\":\"job\",\"jid\":\"j\",\"args\":[]}");
    replace_killed("j", "echo again");
    end_leases();
    wait_until(HANG_MS, last_is("j", completed));
    check_events("j",
                 (const char *const[]){"\"begun\"", first_attempt, "\"again\"", completed, NULL});
}
END_TEST

/* Nothing in the job says that it has a stream: its class does. */
START_TEST(silent_run_after_a_death_has_its_end)
{
    static const char later[] = "[ $SLUICE_JID != other ] || echo other";
    start_killable(later);
    push("default", "{\"class\":\"job\",\"jid\":\"j\",\"args\":[]}");
    replace_killed("j", later);
    char folder[300]; /* so that this is no first run */
    (void)snprintf(folder, sizeof folder, "%s/other", server.dir);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    push("default", "{\"class\":\"job\",\"jid\":\"other\",\"args\":[]}");
    wait_until(HANG_MS, last_is("other", completed));
    end_leases();
    wait_until(HANG_MS, last_is("j", completed));
    check_events("j", (const char *const[]){"\"begun\"", completed, NULL});
}
END_TEST

/* Buried by recovery: whoever follows it learns that it is over. */
START_TEST(job_that_killed_its_workers_has_its_end)
{
    static const char job[] = "{\"class\":\"job\",\"jid\":\"j\",\"track\":true,\"args\":[]}";
    static const char unheard[] = "{\"class\":\"job\",\"jid\":\"u\",\"args\":[]}";
    static const char dead[] = "host:1:0123456789ab";
    must_do(redis, "SADD sluice:workers %s", dead);
    must_do(redis, "HSET sluice:claims:%s 1 default", dead);
    for (const char *const *one = (const char *const[]){job, unheard, NULL}; *one; one++) {
        must_do(redis, "RPUSH sluice:claim:%s:1 %s", dead, *one);
        must_do(
            redis, "EVAL %s 0 %s",
            "return redis.call('SADD', 'sluice:deliveries:' .. redis.sha1hex(ARGV[1]), 'host:2:a', "
            "'host:3:b', 'host:4:c')",
            *one);
    }
    must_do(redis, "HSET sluice:job:j state running");
    must_do(redis, "RPUSH sluice:stream:j 1");
    start_killable("");
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 2);
    check_events("j",
                 (const char *const[]){"1", "{\"type\":\"status\",\"status\":\"dead\"}", NULL});
    ck_assert(answers_with(redis, "dead", "HGET sluice:job:j state"));
    ck_assert(answers_with(redis, "WorkerDied", "HGET sluice:job:j error_class"));
    ck_assert_int_gt(must_int(redis, "TTL sluice:job:j"), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:job:u sluice:stream:u"), 0);
}
END_TEST

/* Not the job's fault: it runs to its end without an audience. */
START_TEST(stream_key_of_the_wrong_type_harms_nobody)
{
    start_worker(settings);
    must_do(redis, "SET sluice:stream:j text");
    push("default", "{\"class\":\"lines\",\"jid\":\"j\",\"args\":[]}");
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"args\":[{\"emit\":2000}]}");
    wait_processed(2);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
    ck_assert(answers_with(redis, "text", "GET sluice:stream:j"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker streams output");
    TCase *tc = new_case(suite, "streams");
    tcase_add_test(tc, lines_are_events_in_order);
    tcase_add_test(tc, viewers_are_told_the_length);
    tcase_add_test(tc, flood_stays_in_order);
    tcase_add_test(tc, many_streams_do_not_mix);
    tcase_add_test(tc, full_stream_is_cut_with_a_mark);
    tcase_add_test(tc, stream_can_be_turned_off);
    tcase_add_test(tc, silent_job_costs_no_stream);
    tcase_add_test(tc, silent_tracked_job_has_its_end);
    tcase_add_test(tc, end_says_how);
    tcase_add_test(tc, attempts_share_the_stream);
    tcase_add_test(tc, last_attempt_that_is_silent_has_its_end);
    tcase_add_test(tc, run_after_a_death_is_marked);
    tcase_add_test(tc, silent_run_after_a_death_has_its_end);
    tcase_add_test(tc, job_that_killed_its_workers_has_its_end);
    tcase_add_test(tc, stream_key_of_the_wrong_type_harms_nobody);
    return suite;
}
