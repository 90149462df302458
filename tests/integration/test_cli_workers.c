/* The commands that steer: pause, unpause, clear; ping, quiet, resume, stop and set beside workers.
 */
#include "cli/drain.h"
#include "support/sluice.h"
#include "test_worker.h"

static const char settings[] = "worker: {threads: 4, shutdown_timeout: 60}\n"
                               "redis: {max_concurrent_ops: 10, max_connections: 30}\n"
                               "handlers:\n" TEST_HANDLER;

static struct worker_process second;

static void tear_down_second(void)
{
    worker_process_free(&second);
    tear_down();
}

static void start(void)
{
    start_worker(settings);
    wait_until(HANG_MS, workers_listen(1));
}

static void expect_done(const char *word, const char *done)
{
    char line[420];
    (void)snprintf(line, sizeof line, "%s: %s\n", worker.identity, done);
    sluice_expect(sluice(server.url, NULL, word, worker.identity), 0, line, "");
}

/* On a terminal, of which what is typed and shown are one stream. */
static void expect_on_terminal(const char *typed, const char *command, int status,
                               const char *const *shown)
{
    char line[400], url[160];
    (void)snprintf(line, sizeof line, "%s %s", SLUICE_BINARY, command);
    (void)snprintf(url, sizeof url, "REDIS_URL=%s", server.url);
    struct program p = {.env = {url, "TERM=xterm"}, .input = slice_of(typed)};
    const char *const argv[] = {"/usr/bin/script", "-qec", line, "/dev/null", NULL};
    program_start(&p, argv);
    int ended = program_wait(&p);
    ck_assert_msg(ended == status, "%d: %s%s", ended, p.out, p.err);
    for (; *shown; shown++)
        ck_assert_msg(strstr(p.out, *shown), "%s is not in: %s", *shown, p.out);
    program_end(&p);
}
#define shows(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(pause_and_unpause)
{
    sluice_expect(sluice(server.url, NULL, "pause", "a", "b"), 0, "a: paused\nb: paused\n", "");
    sluice_expect(sluice(server.url, NULL, "pause", "a"), 0, "a: paused, as it was\n", "");
    ck_assert_int_eq(must_int(redis, "SCARD paused"), 2);
    sluice_expect(
        sluice(server.url, NULL, "unpause", "a", "c", "--json"), 0,
        "[{\"queue\":\"a\",\"paused\":false,\"changed\":true},{\"queue\":\"c\",\"paused\":false,"
        "\"changed\":false}]\n",
        "");
    ck_assert(answers_with(redis, "b", "SPOP paused"));
    sluice_expect(sluice(server.url, NULL, "pause"), 2, "",
                  "sluice pause: a queue is wanted; as in: sluice pause default\n");
    sluice_expect(
        sluice(server.url, NULL, "pause", "a b"), 2, "",
        "sluice pause: \"a b\" is not a queue name; allowed: 1 to 256 bytes without white space, "
        "commas and quotes\n");
    must_do(redis, "SET paused x");
    sluice_expect_part(sluice(server.url, NULL, "pause", "a"), 1, "", "WRONGTYPE");
    sluice_expect_part(sluice("redis://127.0.0.1:1", NULL, "pause", "a"), 69, "", "127.0.0.1:1");
}
END_TEST

START_TEST(unpausing_wakes_a_worker_at_once)
{
    start();
    sluice_expect(sluice(server.url, NULL, "pause", "default"), 0, "default: paused\n", "");
    push("default", "{\"class\":\"test\",\"jid\":\"p\",\"track\":true,\"args\":[{}]}");
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") == 1);
    sluice_expect(sluice(server.url, NULL, "unpause", "default"), 0, "default: active\n", "");
    wait_until(HANG_MS, answers_with(redis, "completed", "HGET sluice:job:p state"));
}
END_TEST

START_TEST(clear_asks_and_says_how_many)
{
    must_do(redis, "EVAL %s 0", "for i = 1, 1234 do redis.call('LPUSH', 'queue:a', i) end");
    sluice_expect(
        sluice(server.url, NULL, "clear", "a"), 2, "",
        "sluice clear: this would delete 1,234 jobs of the queue a; give --yes, since nobody can "
        "be asked here\n");
    expect_on_terminal("n\n", "clear a", 1,
                       shows("Delete 1,234 jobs of the queue a? [y/N]", "Nothing was changed."));
    ck_assert_int_eq(must_int(redis, "LLEN queue:a"), 1234);
    expect_on_terminal("y\n", "clear a", 0, shows("a: 1,234 jobs deleted"));
    ck_assert_int_eq(must_int(redis, "EXISTS queue:a"), 0);
    sluice_expect(sluice(server.url, NULL, "clear", "a"), 0, "a: 0 jobs deleted\n", "");
    must_do(redis, "LPUSH queue:a x");
    sluice_expect(sluice(server.url, NULL, "clear", "a", "--yes", "--json"), 0,
                  "{\"queue\":\"a\",\"deleted\":1}\n", "");
    must_do(redis, "SET queue:a x");
    sluice_expect_part(sluice(server.url, NULL, "clear", "a", "--yes"), 1, "", "WRONGTYPE");
    sluice_expect(sluice(server.url, NULL, "clear"), 2, "",
                  "sluice clear: one queue is wanted; as in: sluice clear default\n");
}
END_TEST

START_TEST(ping_shows_the_state)
{
    sluice_expect_part(sluice(server.url, NULL, "ping"), 1, "No workers on unix://", "");
    start();
    sluice_expect_part(sluice(server.url, NULL, "ping"), 0, "running", "");
    sluice_expect_part(sluice(server.url, NULL, "ping", "--json"), 0,
                       "\"ok\":true,\"version\":", "");
    sluice_expect(
        sluice(server.url, NULL, "ping", "nobody"), 1, "",
        "sluice: no live worker is called \"nobody\" or begins so; sluice workers lists them\n");
    sluice_expect(sluice(server.url, NULL, "ping", "a", "b"), 2, "",
                  "sluice ping: one worker, or none for all; as in: sluice ping web-1:\n");
    worker_process_signal(&worker, SIGSTOP);
    sluice_expect_part(sluice(server.url, NULL, "ping", "--timeout", "0.1"), 1, "no answer", "");
    worker_process_signal(&worker, SIGCONT);
}
END_TEST

START_TEST(quiet_resume_and_stop)
{
    start();
    expect_done("quiet", "quiet");
    wait_said("quiet: no new jobs are taken");
    sluice_expect_part(sluice(server.url, NULL, "ping"), 0, "quiet", "");
    expect_done("resume", "resumed");
    char start_of_it[20];
    (void)snprintf(start_of_it, sizeof start_of_it, "%.4s", worker.identity);
    worker_process_start(&second, &server, &(struct worker_options){.settings = settings});
    wait_until(HANG_MS, workers_listen(2));
    sluice_expect_part(sluice(server.url, NULL, "stop", start_of_it), 2, "",
                       "2 workers begin with \"");
    sluice_expect_part(sluice(server.url, NULL, "quiet", "--all", "--json"), 0,
                       "\"ok\":true},{\"identity\":\"", "");
    sluice_expect(sluice(server.url, NULL, "quiet"), 2, "",
                  "sluice quiet: one worker is wanted, or --all; as in: sluice quiet web-1:\n");
    sluice_expect(sluice(server.url, NULL, "quiet", "--all", "x"), 2, "",
                  "sluice quiet: one worker is wanted, or --all; as in: sluice quiet web-1:\n");
    sluice_expect(sluice(server.url, NULL, "quiet", "--all", "--timeout", "1"), 2, "",
                  "sluice quiet: --timeout is how long to --wait at most, which was not given\n");
    sluice_expect_part(sluice(server.url, NULL, "stop", "--all", "--wait"), 0, "stopped\n", "");
    ck_assert_int_eq(worker_process_wait(&second, HANG_MS), 0);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    sluice_expect(sluice(server.url, NULL, "stop", "--all"), 1, "", "sluice: there is no worker\n");
}
END_TEST

/* One that does not answer now obeys when it is back. */
START_TEST(an_order_to_one_that_is_cut_off_is_kept)
{
    start();
    worker_process_signal(&worker, SIGSTOP);
    char said[500];
    (void)snprintf(said, sizeof said, "sluice: %s does not answer: it obeys when it is back\n",
                   worker.identity);
    sluice_expect(sluice(server.url, NULL, "quiet", "--all"), 1, "", said);
    must_do(redis, "CLIENT KILL TYPE pubsub");
    worker_process_signal(&worker, SIGCONT);
    wait_said("quiet: no new jobs are taken");
}
END_TEST

START_TEST(waiting_for_the_drain)
{
    start();
    push("default",
         "{\"class\":\"test\",\"jid\":\"d\",\"track\":true,\"args\":[{\"sleep_ms\":60000}]}");
    wait_until(HANG_MS, answers_with(redis, "running", "HGET sluice:job:d state"));
    sluice_expect_part(sluice(server.url, NULL, "quiet", "--all", "--wait", "--timeout", "0.1"), 1,
                       ": quiet\n",
                       "sluice: they have not drained within the time that was given\n");
    expect_on_terminal("", "quiet --all --wait --timeout 0.5", 1,
                       shows(": quiet", "draining: 1 job on 1 worker", "have not drained"));
    expect_on_terminal("", "stop --all --wait --timeout 0.5", 1,
                       shows("draining: 1 job on 1 worker, at most ", "have not drained"));
    sluice_expect_part(sluice(server.url, NULL, "resume", "--all"), 1, "",
                       "refuses: the worker is stopping\n");
    sluice_expect_part(sluice(server.url, NULL, "cancel", "d"), 0, "told to stop", "");
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
}
END_TEST

START_TEST(guesses_follow_what_was_done)
{
    ck_assert_double_eq_tol(drain_guess_s(10, 5, 20), 20, 1e-9);
    ck_assert_double_eq_tol(drain_guess_s(10, 1, 9), 1, 1e-9);
    ck_assert_double_lt(drain_guess_s(10, 10, 20), 0); /* nothing to go by */
    ck_assert_double_lt(drain_guess_s(3, 5, 0), 0);
    ck_assert_double_eq_tol(drain_guess_s(10, 0, 5), 0, 1e-9);
}
END_TEST

static bool ping_shows(const char *text)
{
    struct sluice r = sluice(server.url, NULL, "ping", "--json");
    bool shows_it = strstr(r.out, text) != NULL;
    sluice_free(&r);
    return shows_it;
}

/* What was set before it started is read right after it has begun to listen. */
START_TEST(set_changes_what_it_says)
{
    sluice_expect(sluice(server.url, NULL, "set", "--all", "log_level=debug"), 0,
                  "there is no worker now; it holds for those that start\n", "");
    start();
    wait_until(HANG_MS, ping_shows("\"log_level\":\"debug\""));
    char line[420];
    (void)snprintf(line, sizeof line, "%s: set\n", worker.identity);
    sluice_expect(
        sluice(server.url, NULL, "set", worker.identity, "threads=7", "max_concurrent_ops=12"), 0,
        line, "");
    sluice_expect_part(sluice(server.url, NULL, "ping", "--json"), 0,
                       "\"threads\":7,\"max_concurrent_ops\":12", "");
    sluice_expect_part(
        sluice(server.url, NULL, "set", "--all", "max_concurrent_ops=1000"), 1, "",
        "refuses: max_concurrent_ops: 1000 permits + 3 reserved connections = 1003 do not "
        "fit into 30 connections\n");
    sluice_expect(
        sluice(server.url, NULL, "set", "--all", "threads=0"), 2, "",
        "sluice set: threads is \"0\", must be a whole number from 1 to 10000, or default\n");
    sluice_expect(
        sluice(server.url, NULL, "set", "--all", "speed=9"), 2, "",
        "sluice set: \"speed=9\" is not allowed; allowed: threads=N, max_concurrent_ops=N, "
        "log_level=LEVEL\n");
    sluice_expect(
        sluice(server.url, NULL, "set", "threads=1"), 2, "",
        "sluice set: one worker is wanted, or --all; as in: sluice set --all threads=20\n");
    sluice_expect(sluice(server.url, NULL, "set", "--all"), 2, "",
                  "sluice set: what is to be set? allowed: threads=N, max_concurrent_ops=N, "
                  "log_level=LEVEL\n");
    sluice_expect_part(
        sluice(server.url, NULL, "set", "--all", "threads=default", "log_level=default", "--json"),
        0, "\"ok\":true}]}\n", "");
    sluice_expect_part(sluice(server.url, NULL, "ping", "--json"), 0, "\"log_level\":\"info\"", "");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("commands that steer");
    TCase *tc = tcase_create("steer");
    tcase_add_checked_fixture(tc, set_up, tear_down_second);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    tcase_add_test(tc, pause_and_unpause);
    tcase_add_test(tc, unpausing_wakes_a_worker_at_once);
    tcase_add_test(tc, clear_asks_and_says_how_many);
    tcase_add_test(tc, ping_shows_the_state);
    tcase_add_test(tc, quiet_resume_and_stop);
    tcase_add_test(tc, an_order_to_one_that_is_cut_off_is_kept);
    tcase_add_test(tc, waiting_for_the_drain);
    tcase_add_test(tc, guesses_follow_what_was_done);
    tcase_add_test(tc, set_changes_what_it_says);
    suite_add_tcase(suite, tc);
    return suite;
}
