/* What a failure leads to: a retry, the dead set or nothing, after Sidekiq's rules; and jobs whose
 * time has passed. */
#include "test_worker.h"

static const char settings[] =
    "worker: {threads: 4}\n"
    "handlers:\n" TEST_HANDLER "  - {class: once, retry: 0, plugin: \"" TEST_PLUGIN "\"}\n"
    "  - {class: \"exit.*\", exec: [sh, -c, \"echo why >&2; exit ${SLUICE_CLASS#exit.}\"]}\n"
    "  - {class: hopeless, track: true, exec: [sh, -c, \"echo enough >&2; exit 100\"]}\n";

#define FAIL "\"args\":[{\"outcome\":\"fail\"}]"
#define KILL "\"args\":[{\"outcome\":\"dead\"}]"

/* The one member of a sorted set. free() it. */
static char *member_of(const char *key)
{
    struct reply *reply = must_call(redis, "ZRANGE %s 0 -1", key);
    ck_assert_uint_eq(reply_count(reply), 1);
    struct slice s = reply_str(reply_at(reply, 0));
    char *text = strndup(s.p, s.n);
    reply_free(reply);
    return text;
}

static void check_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "%s does not have %s", text, part);
}

static void check_lacks(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) == NULL, "%s has %s", text, part);
}

enum fate { RETRY, DEAD, DROP };

static const struct rule {
    const char *job;
    enum fate fate;
} rules[] = {
    {"{\"class\":\"test\"," FAIL "}", RETRY},
    {"{\"class\":\"test\",\"retry\":true," FAIL "}", RETRY},
    {"{\"class\":\"test\",\"retry\":false," FAIL "}", DROP},
    {"{\"class\":\"test\",\"retry\":0," FAIL "}", DEAD},
    {"{\"class\":\"test\",\"retry\":1," FAIL "}", RETRY},
    {"{\"class\":\"test\",\"retry\":1,\"retry_count\":0," FAIL "}", DEAD},
    {"{\"class\":\"test\",\"retry\":3,\"retry_count\":1," FAIL "}", RETRY},
    {"{\"class\":\"test\",\"retry\":3,\"retry_count\":2," FAIL "}", DEAD},
    {"{\"class\":\"test\",\"retry_count\":23," FAIL "}", RETRY},
    {"{\"class\":\"test\",\"retry_count\":24," FAIL "}", DEAD},
    {"{\"class\":\"test\",\"retry\":true,\"retry_count\":24," FAIL "}", DEAD},
    /* "dead": false: nothing is kept when there is no more retry */
    {"{\"class\":\"test\",\"retry\":0,\"dead\":false," FAIL "}", DROP},
    {"{\"class\":\"test\",\"retry\":1,\"dead\":false," FAIL "}", RETRY},
    {"{\"class\":\"test\",\"dead\":false," KILL "}", DROP},
    {"{\"class\":\"test\",\"dead\":true," KILL "}", DEAD},
    {"{\"class\":\"test\",\"retry\":5," KILL "}", DEAD},
    {"{\"class\":\"test\",\"args\":[]}", DEAD}, /* the handler says that it is hopeless */
    /* retry_for: seconds since the first failure */
    {"{\"class\":\"test\",\"retry_for\":60," FAIL "}", RETRY},
    {"{\"class\":\"test\",\"retry_for\":60,\"retry_count\":0,\"failed_at\":1000.5," FAIL "}", DEAD},
    /* the handler's setting, which the job's own overrules */
    {"{\"class\":\"once\"," FAIL "}", DEAD},
    {"{\"class\":\"once\",\"retry\":5," FAIL "}", RETRY},
    {"{\"class\":\"once\",\"retry\":true," FAIL "}", RETRY},
    /* commands */
    {"{\"class\":\"exit.1\",\"args\":[]}", RETRY},
    {"{\"class\":\"exit.99\",\"args\":[]}", RETRY},
    {"{\"class\":\"exit.100\",\"args\":[]}", DEAD},
    {"{\"class\":\"exit.100\",\"retry\":false,\"args\":[]}", DEAD},
    /* nobody for the class: a rolling deployment heals itself */
    {"{\"class\":\"unheard-of\",\"args\":[]}", RETRY},
    {"{\"class\":\"unheard-of\",\"retry\":0,\"args\":[]}", DEAD},
};
enum { RULES = sizeof rules / sizeof rules[0] };

START_TEST(each_rule)
{
    start_worker(settings);
    int64_t retries = 0, deaths = 0;
    for (int i = 0; i < RULES; i++) {
        push("default", rules[i].job);
        wait_processed(i + 1);
        retries += rules[i].fate == RETRY;
        deaths += rules[i].fate == DEAD;
        ck_assert_msg(must_int(redis, "ZCARD retry") == retries &&
                          must_int(redis, "ZCARD dead") == deaths,
                      "went elsewhere: %s", rules[i].job);
    }
    ck_assert_int_eq(must_int(redis, "GET stat:failed"), RULES);
    ck_assert_int_eq(worker_process_count(&worker, "job failed and is dropped"),
                     RULES - retries - deaths);
}
END_TEST

START_TEST(first_failure_is_described)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"abc\"," FAIL "}");
    wait_processed(1);
    char *job = member_of("retry");
    check_has(job, "\"error_class\":\"TestError\"");
    check_has(job, "\"error_message\":\"as the test wished\"");
    check_has(job, "\"retry_count\":0");
    check_has(job, "\"failed_at\":");
    check_has(job, "\"queue\":\"default\"");
    check_has(job, "\"jid\":\"abc\"");
    check_lacks(job, "\"retried_at\"");
    char *score = must_text(redis, "ZSCORE retry %s", job);
    double delay = strtod(score, NULL) - strtod(strstr(job, "\"failed_at\":") + 12, NULL);
    ck_assert_double_ge(delay, 14.9); /* 15 and up to 9 more */
    ck_assert_double_le(delay, 30);
    free(score);
    free(job);
}
END_TEST

START_TEST(second_failure_keeps_the_first_time)
{
    start_worker(settings);
    push("default", "{\"class\":\"exit.3\",\"retry_count\":0,\"failed_at\":1234.5,\"args\":[]}");
    wait_processed(1);
    char *job = member_of("retry");
    check_has(job, "\"error_message\":\"exit status 3: why");
    check_has(job, "\"retry_count\":1");
    check_has(job, "\"failed_at\":1234.5");
    check_has(job, "\"retried_at\":");
    free(job);
}
END_TEST

START_TEST(unknown_class_says_so)
{
    start_worker(settings);
    push("default", "{\"class\":\"unheard-of\",\"args\":[]}");
    wait_processed(1);
    char *job = member_of("retry");
    check_has(job, "no handler for class \\\"unheard-of\\\"");
    free(job);
}
END_TEST

START_TEST(retried_job_runs_again_and_counts_attempts)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"j\",\"track\":true,\"args\":[{\"log\":\"ran\","
                    "\"outcome\":\"fail\",\"until\":2}]}");
    for (int failure = 1; failure <= 2; failure++) {
        wait_processed(failure);
        ck_assert(answers_with(redis, "retrying", "HGET sluice:job:j state"));
        char *job = member_of("retry");
        must_do(redis, "ZADD retry XX 0 %s", job);
        free(job);
    }
    wait_processed(3);
    ck_assert(answers_with(redis, "completed", "HGET sluice:job:j state"));
    ck_assert(answers_with(redis, "3", "HGET sluice:job:j attempt"));
    ck_assert_int_eq(times_in_file("ran", "j 1 "), 2);
    ck_assert_int_eq(times_in_file("ran", "j 2 "), 2);
    ck_assert_int_eq(times_in_file("ran", "j 3 "), 2);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
    ck_assert_int_eq(must_int(redis, "GET stat:failed"), 2);
}
END_TEST

START_TEST(tracked_death_is_recorded)
{
    start_worker(settings);
    push("default", "{\"class\":\"hopeless\",\"jid\":\"j\",\"args\":[]}");
    wait_until(HANG_MS, answers_with(redis, "dead", "HGET sluice:job:j state"));
    char *error = must_text(redis, "HGET sluice:job:j error");
    check_has(error, "enough");
    free(error);
    char *job = member_of("dead");
    check_has(job, "\"error_message\":\"exit status 100: enough");
    free(job);
}
END_TEST

START_TEST(job_that_has_expired_is_dropped)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"late\",\"expires_at\":1000.5,"
                    "\"args\":[{\"log\":\"ran\"}]}");
    push("default", "{\"class\":\"test\",\"jid\":\"late\",\"expires_at\":1600000000000,"
                    "\"args\":[{\"log\":\"ran\"}]}"); /* in milliseconds */
    push("default", "{\"class\":\"test\",\"jid\":\"early\",\"expires_at\":95000000000.5,"
                    "\"args\":[{\"log\":\"ran\"}]}");
    wait_until(HANG_MS, times_in_file("ran", " end\n") == 1);
    wait_until(HANG_MS, worker_process_count(&worker, "job has expired and is dropped") == 2);
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") == 0);
    wait_processed(3);
    ck_assert_int_eq(times_in_file("ran", "early 1 "), 2);
    ck_assert_int_eq(times_in_file("ran", "late"), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead stat:failed"), 0);
}
END_TEST

START_TEST(an_expired_job_that_is_followed_has_an_end)
{
    start_worker(settings);
    push("default", "{\"class\":\"test\",\"jid\":\"late\",\"expires_at\":1000.5,\"track\":true,"
                    "\"args\":[]}");
    wait_processed(1);
    ck_assert(answers_with(redis, "stopped", "HGET sluice:job:late state"));
    ck_assert(answers_with(redis, "Expired", "HGET sluice:job:late error_class"));
    ck_assert(answers_with(redis, "{\"type\":\"status\",\"status\":\"stopped\"}",
                           "LINDEX sluice:stream:late -1"));
    ck_assert_int_gt(must_int(redis, "TTL sluice:job:late"), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker and failures");
    TCase *tc = new_case(suite, "retry");
    tcase_add_test(tc, each_rule);
    tcase_add_test(tc, first_failure_is_described);
    tcase_add_test(tc, second_failure_keeps_the_first_time);
    tcase_add_test(tc, unknown_class_says_so);
    tcase_add_test(tc, retried_job_runs_again_and_counts_attempts);
    tcase_add_test(tc, tracked_death_is_recorded);
    tcase_add_test(tc, job_that_has_expired_is_dropped);
    tcase_add_test(tc, an_expired_job_that_is_followed_has_an_end);
    return suite;
}
