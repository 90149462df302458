/* `sluice top` on a terminal: tmux has one, shows what is on it, and presses keys. */
#include "support/program.h"
#include "test_worker.h"

static char tmux_socket[128];
static char *screen; /* as of the last look at it */

/* tmux with these words; what it prints goes to `screen`. */
static int tmux(const char *const *words)
{
    const char *argv[16] = {"/usr/bin/env", "tmux", "-S", tmux_socket, "-f", "/dev/null"};
    struct program p = {.env = {"LC_ALL=C.UTF-8", "TERM=xterm-256color"}};
    for (int i = 0; words[i]; i++)
        argv[6 + i] = words[i];
    program_start(&p, argv);
    int status = program_wait(&p);
    free(screen);
    screen = strdup(status == 0 ? p.out : p.err);
    program_end(&p);
    return status;
}
#define tmux(...) tmux((const char *const[]){__VA_ARGS__, NULL})

static void start_top(const char *options)
{
    char command[512];
    (void)snprintf(tmux_socket, sizeof tmux_socket, "%s/tmux", server.dir);
    (void)snprintf(command, sizeof command,
                   "REDIS_URL=%s " TEST_BINARY_DIR "/bin/sluice top %s; echo ended with $?; cat",
                   server.url, options);
    ck_assert_msg(tmux("new-session", "-d", "-x", "100", "-y", "24", command) == 0, "%s", screen);
}

static bool shows(const char *text)
{
    ck_assert_msg(tmux("capture-pane", "-p") == 0, "%s", screen);
    return strstr(screen, text) != NULL;
}

static void press(const char *key)
{
    ck_assert_int_eq(tmux("send-keys", key), 0);
}

static void end_top(void)
{
    (void)tmux("kill-server"); /* it may have ended */
    free(screen);
    screen = NULL;
}

static void start_all(void)
{
    start_worker("worker: {threads: 4, shutdown_timeout: 0}\n"
                 "handlers:\n"
                 "  - {class: long, exec: [/bin/sleep, '600'], track: true}\n");
    push("default", "{\"class\":\"long\",\"jid\":\"long-1\",\"args\":[]}");
    push("other", "{\"class\":\"x\",\"args\":[]}");
    must_do(redis, "SADD queues other");
}

START_TEST(it_shows_and_does)
{
    start_all();
    start_top("--every 0.2");
    wait_until(HANG_MS, shows("running 1 ") && shows("permits     ["));
    wait_until(HANG_MS, shows(" of 100   peak "));
    ck_assert(shows("other                                       1"));
    press("Down");
    press("p");
    wait_until(HANG_MS, shows("other is paused"));
    ck_assert_int_eq(must_int(redis, "SISMEMBER paused other"), 1);
    press("p");
    wait_until(HANG_MS, shows("other goes on"));
    ck_assert_int_eq(must_int(redis, "SISMEMBER paused other"), 0);

    press("2");
    wait_until(HANG_MS, shows(worker.identity) && shows("1/4"));
    press("p");
    wait_until(HANG_MS, shows("takes no more jobs") && shows("quiet  "));
    press("p");
    wait_until(HANG_MS, shows("goes on") && shows("running  "));

    press("3");
    wait_until(HANG_MS, shows("long-1"));
    press("c");
    wait_until(HANG_MS, shows("Cancel long-1? y/n"));
    press("n");
    wait_until(HANG_MS, !shows("y/n"));
    ck_assert_int_eq(must_int(redis, "ZCARD sluice:cancelled"), 0);
    press("c");
    wait_until(HANG_MS, shows("y/n"));
    press("y");
    wait_until(HANG_MS, answers_with(redis, "stopped", "HGET sluice:job:long-1 state"));
    press("q");
    wait_until(HANG_MS, shows("ended with 0"));
}
END_TEST

START_TEST(redis_may_go_and_come)
{
    start_all();
    start_top("--every 0.2");
    wait_until(HANG_MS, shows("enqueued 1 "));
    redis_server_stop(&server);
    wait_until(HANG_MS, shows("Connection refused") || shows("No such file"));
    ck_assert(shows("enqueued 1 ")); /* what was seen last stays */
    redis_conn_free(redis);
    redis = NULL;
    must_restart(&server);
    open_redis();
    wait_until(HANG_MS, !shows("Connection refused") && !shows("No such file"));
    press("q");
    wait_until(HANG_MS, shows("ended with 0"));
}
END_TEST

/* What a name in Redis holds is shown and drives nothing. */
START_TEST(names_are_only_names)
{
    start_all();
    must_do(redis, "SADD queues %s", "\033[2Jevil");
    start_top("--every 0.2");
    wait_until(HANG_MS, shows("?[2Jevil"));
    ck_assert(shows("sluice top"));
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    start_top("--every 0.1");
    wait_until(HANG_MS, shows("--every must be 0.2 s to 60 s") && shows("ended with 2"));
    struct program p = {.env = {"TERM=xterm"}};
    program_start(&p, (const char *const[]){TEST_BINARY_DIR "/bin/sluice", "top", NULL});
    ck_assert_int_eq(program_wait(&p), 2);
    program_read(&p);
    ck_assert_ptr_nonnull(strstr(p.err, "this needs a terminal"));
    program_end(&p);
}
END_TEST

Suite *test_suite(void);
Suite *test_suite(void)
{
    Suite *suite = suite_create("sluice top");
    TCase *tc = new_case(suite, "top");
    tcase_add_checked_fixture(tc, NULL, end_top);
    tcase_add_test(tc, it_shows_and_does);
    tcase_add_test(tc, redis_may_go_and_come);
    tcase_add_test(tc, names_are_only_names);
    tcase_add_test(tc, what_is_wrong_is_said);
    return suite;
}
