/* The command `sluice` from outside: exit codes, errors word for word, and what it shows. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "support/redis_fixture.h"
#include "support/sluice.h"

static struct redis_server server;
static struct redis_conn *conn;

static void start_server(void)
{
    must_start(&server, NULL);
}

static void stop_server(void)
{
    redis_server_free(&server);
}

static void begin(void)
{
    struct redis_options o = server_options(&server);
    conn = must_open(&o);
    must_do(conn, "FLUSHALL");
}

static void end(void)
{
    redis_conn_free(conn);
}

static void must_be_json(const char *text)
{
    enum json_type type;
    struct err err = {""};
    ck_assert_msg(json_scan(slice_of(text), &type, NULL, NULL, &err) == 0, "%s\n%s", err.text,
                  text);
    ck_assert_int_eq(type, JSON_OBJECT);
}

#define NAMES                                                                                      \
    "dev, enqueue, status, why, follow, tail, cancel, stats, queues, pause, unpause, clear, "      \
    "retry, schedule, dead, workers, ping, quiet, resume, stop, set, top, doctor, fsck, help"

START_TEST(help_and_version)
{
    static const char *const commands[] = {
        "dev",    "enqueue", "status",  "why",   "follow", "tail",     "cancel", "stats",
        "queues", "pause",   "unpause", "clear", "retry",  "schedule", "dead",   "workers",
        "ping",   "quiet",   "resume",  "stop",  "set",    "doctor",   "fsck",   "help"};
    sluice_expect(sluice(NULL, NULL, "--version"), 0, "sluice " SLUICE_VERSION "\n", "");
    sluice_expect_part(sluice(NULL, NULL, "help"), 0, "Commands:\n", "");
    sluice_expect_part(sluice(NULL, NULL, "--help"), 0, "Commands:\n", "");
    sluice_expect_part(sluice_run(NULL, NULL, (const char *const[]){SLUICE_BINARY, NULL}), 2,
                       "Commands:\n", "");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct sluice a = sluice(NULL, NULL, "help", commands[i]);
        struct sluice b = sluice(NULL, NULL, commands[i], "--help");
        ck_assert_int_eq(a.status, 0);
        ck_assert_int_eq(b.status, 0);
        ck_assert_str_eq(a.out, b.out);
        ck_assert_ptr_nonnull(strstr(a.out, "Usage: sluice "));
        sluice_free(&a);
        sluice_free(&b);
        sluice_expect_part(sluice(NULL, NULL, "help"), 0, commands[i], "");
    }
}
END_TEST

START_TEST(bad_usage_says_what_is_allowed)
{
    sluice_expect(sluice(NULL, NULL, "bogus"), 2, "",
                  "sluice: unknown command \"bogus\"; allowed: " NAMES "\n");
    sluice_expect(
        sluice(NULL, NULL, "--json", "stats"), 2, "",
        "sluice: --json is not an option here; options follow the command, as in: sluice stats "
        "--json\n");
    sluice_expect(sluice(NULL, NULL, "help", "bogus"), 2, "",
                  "sluice help: unknown command \"bogus\"; allowed: " NAMES "\n");
    sluice_expect(
        sluice(NULL, NULL, "stats", "--bogus"), 2, "",
        "sluice stats: unknown option --bogus; allowed: --json, --redis, --config, --help\n");
    sluice_expect(sluice(NULL, NULL, "stats", "-x"), 2, "",
                  "sluice stats: unknown option -x; allowed: --json, --redis, --config, --help\n");
    sluice_expect(sluice(NULL, NULL, "queues", "extra"), 2, "",
                  "sluice queues: unexpected argument \"extra\"; allowed: options only\n");
    sluice_expect(sluice(NULL, NULL, "workers", "--redis"), 2, "",
                  "sluice workers: --redis needs a value: URL\n");
    sluice_expect(sluice(NULL, NULL, "workers", "--json=1"), 2, "",
                  "sluice workers: --json takes no value\n");
    sluice_expect(sluice(NULL, NULL, "bo\x1b[31mgus\n"), 2, "", NULL); /* and on one clean line: */
    struct sluice r = sluice(NULL, NULL, "bo\x1b[31mgus\n");
    ck_assert_ptr_null(strchr(r.err, '\x1b'));
    ck_assert_ptr_eq(strchr(r.err, '\n'), r.err + strlen(r.err) - 1);
    sluice_free(&r);
}
END_TEST

START_TEST(bad_settings_are_named_by_their_place)
{
    char path[] = "/tmp/sluice-test-cli-XXXXXX", line[64];
    int fd = mkstemp(path);
    ck_assert_int_eq(dprintf(fd, "redis:\n  prot: 1\n"), 17);
    (void)close(fd);
    (void)snprintf(line, sizeof line, "%s:2: ", path);
    struct sluice r = sluice(server.url, NULL, "stats", "--config", path);
    ck_assert_int_eq(r.status, 2);
    ck_assert_msg(strncmp(r.err, line, strlen(line)) == 0, "%s", r.err);
    ck_assert_ptr_nonnull(strstr(r.err, "prot"));
    sluice_free(&r);
    (void)unlink(path);

    r = sluice(NULL, NULL, "stats", "--redis", "http://user:secret@host");
    ck_assert_int_eq(r.status, 2);
    ck_assert_msg(strstr(r.err, "redis://") != NULL, "%s", r.err);
    ck_assert_ptr_null(strstr(r.err, "secret"));
    sluice_free(&r);
    sluice_expect(sluice(NULL, NULL, "stats", "--config", "/nonexistent.yaml"), 2, "", NULL);
}
END_TEST

START_TEST(no_redis_is_69)
{
    static const char *const commands[] = {"stats", "queues", "workers"};
    char url[160];
    (void)snprintf(url, sizeof url, "unix://%s/none.sock", server.dir);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct sluice r = sluice(NULL, NULL, commands[i], "--redis", url);
        ck_assert_int_eq(r.status, 69);
        ck_assert_str_eq(r.out, "");
        ck_assert_msg(strstr(r.err, url) != NULL, "%s", r.err);
        sluice_free(&r);
    }
    sluice_expect(sluice(url, NULL, "enqueue", "noop"), 69, "", NULL);
    sluice_expect(sluice(url, NULL, "enqueue", "noop", "--redis", server.url), 0, NULL, "");
}
END_TEST

START_TEST(empty_states_are_explained)
{
    sluice_expect_part(sluice(server.url, NULL, "queues"), 0, "No queues yet", "");
    sluice_expect_part(sluice(server.url, NULL, "workers"), 0, "start one with sluice-worker", "");
    sluice_expect_part(sluice(server.url, NULL, "stats"), 0, "start one with sluice-worker", "");
    sluice_expect(sluice(server.url, NULL, "queues", "--json"), 0, "{\"queues\":[]}\n", "");
    sluice_expect(sluice(server.url, NULL, "workers", "--json"), 0, "{\"workers\":[]}\n", "");
}
END_TEST

START_TEST(a_seeded_redis_is_shown)
{
    must_do(conn, "SADD queues default low odd %s", "ev\x1bil\"");
    must_do(conn, "LPUSH queue:default {\"class\":\"a\",\"args\":[]} x");
    must_do(conn, "SET queue:odd text");
    must_do(conn, "SADD paused low");
    must_do(conn, "SET dead text");
    must_do(conn, "SET stat:processed 1234567");
    must_do(conn, "SADD processes h:1:aaaaaaaaaaaa");
    must_do(conn,
            "HSET h:1:aaaaaaaaaaaa busy 3 concurrency 16 beat 1795506900.5 quiet false "
            "rss 2048 info %s",
            "{\"queues\":[\"default\",\"low\"]}");

    sluice_expect(sluice(server.url, NULL, "queues"), 0,
                  "Queue    Jobs  Oldest  State\n"
                  "default     2      0s  active\n"
                  "ev?il\"      0       -  active\n"
                  "low         0       -  paused\n"
                  "odd         -       -  its key is not a list\n",
                  "");
    sluice_expect(
        sluice(server.url, NULL, "queues", "--json"), 0,
        "{\"queues\":["
        "{\"name\":\"default\",\"size\":2,\"latency\":0.000,\"paused\":false,\"wrong_type\":false},"
        "{\"name\":\"ev\\u001bil\\\"\",\"size\":0,\"latency\":0.000,\"paused\":false,"
        "\"wrong_type\":false},"
        "{\"name\":\"low\",\"size\":0,\"latency\":0.000,\"paused\":true,\"wrong_type\":false},"
        "{\"name\":\"odd\",\"size\":0,\"latency\":0.000,\"paused\":false,\"wrong_type\":true}]}\n",
        "");
    sluice_expect_part(sluice(server.url, NULL, "stats"), 0, "1,234,567", "");
    sluice_expect_part(sluice(server.url, NULL, "stats"), 0, "Workers  1, running 3 jobs\n", "");
    sluice_expect_part(sluice(server.url, NULL, "workers"), 0, "default, low\n", "");

    struct sluice r = sluice(server.url, NULL, "stats", "--json");
    must_be_json(r.out);
    ck_assert_ptr_nonnull(strstr(r.out, "\"processed\":1234567,"));
    ck_assert_ptr_nonnull(strstr(r.out, "\"enqueued\":2,"));
    ck_assert_ptr_nonnull(strstr(r.out, "\"dead\":0,"));
    sluice_free(&r);
    r = sluice(server.url, NULL, "workers", "--json");
    must_be_json(r.out);
    ck_assert_ptr_nonnull(strstr(r.out, "\"info\":{\"queues\":[\"default\",\"low\"]}"));
    sluice_free(&r);
    must_do(conn, "HSET h:1:aaaaaaaaaaaa info %s", "{broken");
    r = sluice(server.url, NULL, "workers", "--json");
    must_be_json(r.out);
    ck_assert_ptr_nonnull(strstr(r.out, "\"info\":null"));
    sluice_free(&r);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("sluice");
    TCase *t = tcase_create("sluice");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, start_server, stop_server);
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, help_and_version);
    tcase_add_test(t, bad_usage_says_what_is_allowed);
    tcase_add_test(t, bad_settings_are_named_by_their_place);
    tcase_add_test(t, no_redis_is_69);
    tcase_add_test(t, empty_states_are_explained);
    tcase_add_test(t, a_seeded_redis_is_shown);
    suite_add_tcase(s, t);
    return s;
}
