/* Cancelling: whatever a job is doing, and whether a worker is up, it ends as stopped, once. */
#include "support/sluice.h"
#include "test_worker.h"

static const char settings[] =
    "worker: {threads: 4}\n"
    "handlers:\n" TEST_HANDLER "  - {class: child, track: true, exec: [sh, -c, \"trap 'echo told "
    ">told; exit 1' TERM; echo >up; "
    "while :; do sleep 0.05; done\"]}\n"
    "  - {class: deaf, track: true, exec: [sh, -c, \"trap '' TERM; while :; do sleep 0.05; "
    "done\"]}\n";

static void cancel(const char *jid, const char *expected)
{
    struct sluice r = sluice(server.url, NULL, "cancel", jid);
    ck_assert_msg(r.status == 0 && strstr(r.out, expected), "%d: %s%s", r.status, r.out, r.err);
    sluice_free(&r);
}

static void check_stopped(const char *jid)
{
    char key[64];
    (void)snprintf(key, sizeof key, "sluice:job:%s", jid);
    wait_until(HANG_MS, answers_with(redis, "stopped", "HGET %s state", key));
    (void)snprintf(key, sizeof key, "sluice:stream:%s", jid);
    ck_assert(
        answers_with(redis, "{\"type\":\"status\",\"status\":\"stopped\"}", "LINDEX %s -1", key));
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
}

static void wait_running(const char *jid)
{
    wait_until(HANG_MS, answers_with(redis, "running", "HGET sluice:job:%s state", jid));
}

START_TEST(a_running_plugin_is_told)
{
    start_worker(settings);
    push("default",
         "{\"class\":\"test\",\"jid\":\"a\",\"track\":true,\"args\":[{\"sleep_ms\":60000}]}");
    wait_running("a");
    cancel("a", "it runs, and is told to stop");
    check_stopped("a");
    ck_assert_int_eq(must_int(redis, "EXISTS stat:failed"), 0);
}
END_TEST

START_TEST(a_running_program_gets_a_signal)
{
    start_worker(settings);
    push("default", "{\"class\":\"child\",\"jid\":\"b\",\"args\":[]}");
    wait_running("b");
    wait_until(HANG_MS, times_in_file("up", "\n") == 1); /* it listens to signals */
    cancel("b", "told to stop");
    check_stopped("b");
    ck_assert_int_eq(times_in_file("told", "told"), 1);
}
END_TEST

START_TEST(a_program_that_does_not_heed_it_is_killed)
{
    start_worker(settings);
    push("default", "{\"class\":\"deaf\",\"jid\":\"c\",\"args\":[]}");
    wait_running("c");
    struct sluice r = sluice(server.url, NULL, "cancel", "c", "--wait", "60");
    ck_assert_msg(r.status == 0, "%s", r.err);
    sluice_free(&r);
    check_stopped("c");
}
END_TEST

START_TEST(what_waits_is_taken_out)
{
    static const char job[] = "{\"class\":\"test\",\"jid\":\"w\",\"track\":true,\"queue\":"
                              "\"later\",\"args\":[{\"log\":\"ran\"}]}";
    must_do(redis, "SADD queues later");
    must_do(redis, "LPUSH queue:later %s", job);
    for (int i = 0; i < 1500; i++)
        must_do(redis, "RPUSH queue:later {\"jid\":\"%d\"}", i);
    cancel("w", "taken out of queue:later");
    check_stopped("w");
    ck_assert_int_eq(must_int(redis, "LLEN queue:later"), 1500);
    static const char *const sets[] = {"schedule", "retry"};
    for (int i = 0; i < 2; i++) {
        char where[32];
        must_do(redis, "DEL sluice:job:w sluice:stream:w");
        must_do(redis, "ZADD %s 9999999999 %s", sets[i], job);
        (void)snprintf(where, sizeof where, "taken out of %s", sets[i]);
        cancel("w", where);
        check_stopped("w");
    }
}
END_TEST

/* The order comes while nobody is up, and about a job that comes later still. */
START_TEST(the_order_outlives_the_absence_of_workers)
{
    cancel("early", "waits nowhere");
    push("default",
         "{\"class\":\"test\",\"jid\":\"early\",\"track\":true,\"args\":[{\"log\":\"ran\"}]}");
    push("default", "{\"class\":\"test\",\"jid\":\"other\",\"args\":[{\"log\":\"ran\"}]}");
    start_worker(settings);
    check_stopped("early");
    wait_until(HANG_MS, times_in_file("ran", "other 1 ") == 2);
    ck_assert_int_eq(times_in_file("ran", "early"), 0);
}
END_TEST

/* The message is lost, since the connection that should hear it is gone: the flag is read again. */
START_TEST(a_lost_message_changes_nothing)
{
    start_worker(settings);
    push("default",
         "{\"class\":\"test\",\"jid\":\"d\",\"track\":true,\"args\":[{\"sleep_ms\":60000}]}");
    wait_running("d");
    wait_until(HANG_MS, must_int(redis, "CLIENT KILL TYPE pubsub") > 0);
    must_do(redis, "ZADD sluice:cancelled 1 d"); /* as if the message had gone by */
    check_stopped("d");
}
END_TEST

START_TEST(one_that_is_done_stays_done)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"e\",\"track\":true,\"args\":[{\"result\":1}]}");
    wait_until(HANG_MS, answers_with(redis, "completed", "HGET sluice:job:e state"));
    struct sluice r = sluice(server.url, NULL, "cancel", "e", "--wait", "5");
    ck_assert_int_eq(r.status, 1);
    ck_assert_msg(strstr(r.err, "job e had completed before it could be stopped"), "%s", r.err);
    sluice_free(&r);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cancel");
    TCase *tc = new_case(suite, "cancel");
    tcase_add_test(tc, a_running_plugin_is_told);
    tcase_add_test(tc, a_running_program_gets_a_signal);
    tcase_add_test(tc, a_program_that_does_not_heed_it_is_killed);
    tcase_add_test(tc, what_waits_is_taken_out);
    tcase_add_test(tc, the_order_outlives_the_absence_of_workers);
    tcase_add_test(tc, a_lost_message_changes_nothing);
    tcase_add_test(tc, one_that_is_done_stays_done);
    return suite;
}
