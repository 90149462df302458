/*
 * The dashboard in a headless Chromium (dashboard/scenarios.mjs) before a real API, worker and
 * Redis.
 *
 * There are: two jobs that run and print for ever, "talk" (tracked) and "talk2"; three that are
 * dead, "dies1" to "dies3"; "fails", which will be tried again; "later", which is scheduled.
 */
#include "integration/test_api.h"
#include "support/program.h"

#define SCENARIOS TEST_SOURCE_DIR "/tests/interop/dashboard/scenarios.mjs"

/* A browser on a busy machine takes its time. */
enum { PLAY_MS = 3 * HANG_MS };

static struct worker_process hand; /* the worker; `worker` is the API */
static struct program browser;

static const char settings[] =
    "worker: {threads: 10, queues: [default], shutdown_timeout: 0}\n"
    "metrics: {listen: \"off\"}\n"
    "handlers:\n"
    "  - {class: talk, exec: [/bin/sh, -c, 'while :; do echo \"{\\\"n\\\":9007199254740993,"
    "\\\"a\\\":[],\\\"f\\\":1.10}\"; echo \"a line with <b>no markup</b>\"; sleep 0.05; done']}\n"
    "  - {class: dies, exec: [/bin/sh, -c, 'echo \"it <i>dies</i>\" >&2; exit 100']}\n"
    "  - {class: fails, exec: [/bin/false], retry: 5}\n"
    "  - {class: later, exec: [/bin/true], track: true}\n";

static void start_all(const char *const *api_env)
{
    static const char *const names[] = {"dies1", "dies2", "dies3"};
    char job[128];
    worker_process_start(&hand, &server, &(struct worker_options){.settings = settings});
    push("default", "{\"class\":\"talk\",\"jid\":\"talk\",\"args\":[],\"track\":true}");
    push("default", "{\"class\":\"talk\",\"jid\":\"talk2\",\"args\":[]}");
    push("default", "{\"class\":\"fails\",\"jid\":\"fails\",\"args\":[]}");
    for (int i = 0; i < 3; i++) {
        (void)snprintf(job, sizeof job,
                       "{\"class\":\"dies\",\"jid\":\"%s\",\"args\":[9007199254740993,1.10,[],{}]}",
                       names[i]);
        push("default", job);
    }
    must_do(redis, "ZADD schedule 9999999999 %s",
            "{\"class\":\"later\",\"jid\":\"later\",\"queue\":\"default\",\"args\":[]}");
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 3 && must_int(redis, "ZCARD retry") == 1);
    char *failed = must_text(redis, "EVAL %s 0", "return redis.call('ZRANGE', 'retry', 0, 0)[1]");
    must_do(redis, "ZADD retry 9999999999 %s", failed); /* not before somebody says so */
    free(failed);
    start_api_at(NULL, NULL, api_env);
}

static void end_worker(void)
{
    program_end(&browser);
    if (hand.pid > 0) {
        worker_process_signal(&hand, SIGTERM);
        ck_assert_int_eq(worker_process_wait(&hand, HANG_MS), 0);
    }
    worker_process_free(&hand);
}

/* names: up to six, NULL-terminated; they come one after the other in one browser. */
static void play(const char *token, const char *const *names)
{
    char api[64], socket[128], pid[32], password[64], shots[512];
    const char *argv[10] = {"/usr/bin/env", "node", SCENARIOS};
    (void)snprintf(api, sizeof api, "API=http://127.0.0.1:%d", port);
    (void)snprintf(socket, sizeof socket, "REDIS_SOCKET=%s", server.socket);
    (void)snprintf(pid, sizeof pid, "REDIS_PID=%d", (int)server.pid);
    (void)snprintf(password, sizeof password, "TOKEN=%s", token ? token : "");
    (void)snprintf(shots, sizeof shots, "SHOTS=%s", getenv("SHOTS") ? getenv("SHOTS") : "");
    browser = (struct program){.env = {api, socket, pid, password, shots}};
    for (int i = 0; names[i]; i++)
        argv[3 + i] = names[i];
    program_start(&browser, argv);
    int status = 0;
    wait_until(PLAY_MS, program_ended(&browser, &status));
    program_read(&browser);
    ck_assert_msg(status == 0, "%s%s", browser.out, browser.err);
}

START_TEST(it_looks_well)
{
    start_all(NULL);
    play(NULL, (const char *const[]){"light", "dark", "phone", "colours", "overview", NULL});
}
END_TEST

START_TEST(it_does_what_is_pressed)
{
    start_all(NULL);
    play(NULL, (const char *const[]){"queues", "workers", "keyboard", "sets", "job", "dead", NULL});
}
END_TEST

START_TEST(it_outlives_an_outage)
{
    start_all(NULL);
    play(NULL, (const char *const[]){"outage", NULL});
}
END_TEST

START_TEST(who_may_read_only_reads)
{
    start_all((const char *const[]){"SLUICE_API_TOKEN=all", "SLUICE_API_READ_TOKEN=some", NULL});
    play("some", (const char *const[]){"reader", NULL});
}
END_TEST

Suite *test_suite(void);
Suite *test_suite(void)
{
    Suite *suite = suite_create("the dashboard in a browser");
    TCase *tc = new_case(suite, "dashboard");
    tcase_add_checked_fixture(tc, NULL, end_worker);
#ifndef __SANITIZE_ADDRESS__ /* how it looks is no affair of the server's memory */
    tcase_add_test(tc, it_looks_well);
#endif
    tcase_add_test(tc, it_does_what_is_pressed);
    tcase_add_test(tc, it_outlives_an_outage);
    tcase_add_test(tc, who_may_read_only_reads);
    return suite;
}
