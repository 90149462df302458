/* What the C client refuses by itself, without a Redis: settings and jobs. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/client.h>

#include "conf/table.h"
#include "redis/conn.h"

static struct sluice_client *client;

static void set_up(void)
{
    struct sluice_client_options o = sluice_client_options_init();
    for (int i = 0; i < SETTINGS; i++)
        ck_assert_int_eq(unsetenv(settings[i].env), 0);
    o.url = "unix:///nowhere/redis.sock";
    ck_assert_int_eq(sluice_client_new(&o, &client, NULL), 0);
}

static void tear_down(void)
{
    sluice_client_free(client);
    sluice_client_free(NULL);
}

/* ---- settings ---- */

static void refuse(struct sluice_client_options o, const char *why)
{
    struct sluice_client_error error;
    struct sluice_client *untouched = client;
    ck_assert_int_eq(sluice_client_new(&o, &untouched, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, why), "%s", error.text);
    ck_assert_int_eq(error.code, -EINVAL);
    ck_assert_ptr_eq(untouched, client);
    ck_assert_int_eq(sluice_client_new(&o, &untouched, NULL), -EINVAL);
}

START_TEST(settings_are_checked)
{
    struct sluice_client_options o = sluice_client_options_init();
    o.url = "http://secret@h";
    refuse(o, "redis.url is not usable, must be an address that begins with redis://, rediss://");
    o.url = "redis://:secret@h:0";
    refuse(o, "the port is not a number from 1 to 65535");
    o.url = NULL;
    o.timeout_ms = -1;
    refuse(o, "timeout_ms is -1; 0 or more is required");
    o.timeout_ms = 0;
    o.name = "two words";
    refuse(o, "without spaces");
    o.name = NULL;
    o.size = 8;
    refuse(o, "the options' size is 8;");
    if (!redis_tls_supported()) {
        o = sluice_client_options_init();
        o.url = "rediss://h";
        refuse(o, "needs a build with hiredis_ssl");
    }
}
END_TEST

START_TEST(the_environment_is_read_as_by_all_programs)
{
    struct sluice_client *c = NULL;
    struct sluice_client_error error;
    ck_assert_int_eq(setenv("REDIS_PORT", "70000", 1), 0);
    refuse(sluice_client_options_init(), "REDIS_PORT: redis.port is ");
    ck_assert_int_eq(setenv("REDIS_PORT", "", 1), 0);
    ck_assert_int_eq(setenv("REDIS_URL", "redis://h:x", 1), 0);
    refuse(sluice_client_options_init(), "Redis URL: the port");
    ck_assert_int_eq(setenv("REDIS_URL", "unix:///no/where", 1), 0);
    ck_assert_int_eq(setenv("SLUICE_THREADS", "none of our business", 1), 0);
    ck_assert_int_eq(sluice_client_new(NULL, &c, &error), 0);
    ck_assert_str_eq(error.text, "");
    ck_assert_int_eq(sluice_client_ping(c, &error), -ENOTCONN);
    ck_assert_ptr_nonnull(strstr(error.text, "unix:///no/where"));
    sluice_client_free(c);
}
END_TEST

/* ---- jobs ---- */

/* A struct of a program that was built against a newer header. */
struct newer {
    struct sluice_client_job job;
    const char *member;
};

static void must_refuse(const struct sluice_client_job *job, int code, const char *field,
                        const char *why)
{
    struct sluice_client_error error;
    char jid[SLUICE_CLIENT_JID_SIZE] = "untouched";
    int rc = sluice_client_enqueue(client, job, NULL, jid, &error);
    ck_assert_msg(rc == code, "%d: %s", rc, error.text);
    ck_assert_msg(strstr(error.text, why), "%s", error.text);
    if (field)
        ck_assert_str_eq(error.field, field);
    else
        ck_assert_ptr_null(error.field);
    ck_assert_str_eq(jid, "untouched");
}

#define REFUSE(field, why, ...)                                                                    \
    must_refuse(                                                                                   \
        &(struct sluice_client_job){.size = sizeof(struct sluice_client_job), __VA_ARGS__},        \
        -EBADMSG, field, why)

static char *long_text(size_t n)
{
    static char text[1024];
    memset(text, 'x', n);
    text[n] = '\0';
    return text;
}

START_TEST(jobs_are_checked_without_redis)
{
    REFUSE("class", "field \"class\" is missing; a string of 1 to 256 bytes", .args = "[]");
    REFUSE("class", "1 to 256 bytes", .klass = "");
    REFUSE("class", "1 to 256 bytes", .klass = long_text(257));
    REFUSE("class", "not UTF-8", .klass = "\xff");
    REFUSE("args", "field \"args\" is no JSON", .klass = "x", .args = "[1");
    REFUSE("args", "field \"args\" is no JSON", .klass = "x", .args = "");
    REFUSE("args", "an array is required", .klass = "x", .args = "{\"a\":1}");
    /* What would break out of its place. */
    REFUSE("args", "field \"args\" is no JSON", .klass = "x", .args = "[1],\"class\":\"y\"");
    REFUSE("args", "field \"args\" is no JSON", .klass = "x", .args = "[1]\0[2]", .args_len = 7);
    REFUSE("queue", "without white space", .klass = "x", .queue = "a b");
    REFUSE("queue", "not UTF-8", .klass = "x", .queue = "\x80");
    REFUSE("jid", "1 to 128 bytes", .klass = "x", .jid = long_text(129));
    REFUSE("at", "Unix time in seconds", .klass = "x", .at = -1);
    REFUSE("at", "Unix time in seconds", .klass = "x", .at = NAN);
    REFUSE("at", "Unix time in seconds", .klass = "x", .at = 1795478712000);
    REFUSE("expires_at", "Unix time in seconds", .klass = "x", .expires_at = INFINITY);
    REFUSE("timeout", "number of seconds", .klass = "x", .timeout = -0.5);
    REFUSE("timeout", "above 0", .klass = "x", .timeout = 1e-9);
    REFUSE("retry", "SLUICE_CLIENT_RETRY_NEVER", .klass = "x", .retry = -3);
    REFUSE("traceparent", "256 bytes", .klass = "x", .traceparent = long_text(257));
    REFUSE("json", "nothing else may be given", .klass = "x", .json = "{}");
    REFUSE(NULL, "the payload is an array", .json = "[]");
    REFUSE("args", "field \"args\" is missing", .json = "{\"class\":\"x\"}");
    REFUSE("retry", "true, false or an integer from 0",
           .json = "{\"class\":\"x\",\"args\":[],\"retry\":\"5\"}");
}
END_TEST

START_TEST(structs_of_another_size)
{
    struct newer newer = {{.size = sizeof newer, .klass = "x"}, NULL};
    must_refuse(&newer.job, -ENOTCONN, NULL, "unix:///nowhere/redis.sock");
    newer.member = "unknown here";
    must_refuse(&newer.job, -EINVAL, NULL, "size is ");
    must_refuse(&(struct sluice_client_job){.klass = "x"}, -EINVAL, NULL, "a job's size is 0;");
}
END_TEST

START_TEST(bulks_are_checked_without_redis)
{
    struct sluice_client_error error;
    struct sluice_client_job jobs[3];
    for (int i = 0; i < 3; i++) {
        jobs[i] = sluice_client_job_init();
        jobs[i].klass = "x";
    }
    jobs[2].args = "{}";
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 3, NULL, NULL, &error), -EBADMSG);
    ck_assert_uint_eq(error.index, 2);
    ck_assert_str_eq(error.field, "args");
    ck_assert_msg(strncmp(error.text, "jobs[2]: field \"args\" ", 22) == 0, "%s", error.text);
    jobs[1].size = 0;
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 3, NULL, NULL, &error), -EINVAL);
    ck_assert_uint_eq(error.index, 1);
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 0, NULL, NULL, &error), -EINVAL);
    ck_assert_int_eq(
        sluice_client_enqueue_bulk(client, jobs, SLUICE_CLIENT_BULK_MAX + 1, NULL, NULL, &error),
        -EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "1 to 10000 are allowed"));
}
END_TEST

START_TEST(keys_and_jids_are_checked_without_redis)
{
    static const char *const bad[] = {"", "a b", "a\n", "\xc3\xa9"};
    struct sluice_client_error error;
    struct sluice_client_job job = sluice_client_job_init();
    job.klass = "x";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(sluice_client_enqueue(client, &job, bad[i], NULL, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.text, "the key must be 1 to 255 printable"));
    }
    ck_assert_int_eq(sluice_client_enqueue(client, &job, long_text(256), NULL, NULL), -EINVAL);
    ck_assert_int_eq(sluice_client_enqueue(client, &job, long_text(255), NULL, NULL), -ENOTCONN);
    ck_assert_int_eq(sluice_client_record(client, "", NULL, NULL, &error), -EINVAL);
    ck_assert_int_eq(sluice_client_cancel(client, long_text(129), NULL, &error), -EINVAL);
    ck_assert_int_eq(sluice_client_follow(client, "j", -1, 1, NULL, NULL, NULL, &error), -EINVAL);
    ck_assert_int_eq(sluice_client_follow(client, "j", 0, 1, NULL, NULL, NULL, &error), -ETIME);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("client: what it refuses");
    TCase *tc = tcase_create("checks");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, settings_are_checked);
    tcase_add_test(tc, the_environment_is_read_as_by_all_programs);
    tcase_add_test(tc, jobs_are_checked_without_redis);
    tcase_add_test(tc, structs_of_another_size);
    tcase_add_test(tc, bulks_are_checked_without_redis);
    tcase_add_test(tc, keys_and_jids_are_checked_without_redis);
    suite_add_tcase(suite, tc);
    return suite;
}
