/* Settings: what --check-config says of good and bad ones, what a reload changes, and the warnings
 * at start. */
#include "test_worker.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static const char good[] = "worker: {threads: 3}\nhandlers:\n" TEST_HANDLER;

/* Runs `sluice-worker --check-config` on a text; returns what it printed. free() it. */
static char *check_config(const char *settings, int *ret_status)
{
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){.settings = settings,
                                 .args = (const char *const[]){"--check-config", NULL}});
    *ret_status = worker_process_wait(&worker, HANG_MS);
    return worker_process_log(&worker);
}

START_TEST(good_settings_are_shown)
{
    int status;
    char *text = check_config(good, &status);
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(strstr(text, "threads: 3"));
    ck_assert_ptr_nonnull(strstr(text, "settings are valid: 1 queues, 1 handlers\n"));
    free(text);
}
END_TEST

/* One line: FILE:LINE: what is wrong, what is allowed. FILE stands before each of these. */
static const struct refusal {
    const char *settings, *line;
} refusals[] = {
    {"worker: {thread: 3}\n",
     ":1: unknown key \"thread\" in worker, must be one of threads, queues, shutdown_timeout, "
     "lease, max_payload, stream_max_events, stream_ttl\n"},
    {"worker:\n  threads: many\n",
     ":2: worker.threads is \"many\", must be a whole number from 1 to 10000\n"},
    {"worker:\n  threads: 0\n",
     ":2: worker.threads is \"0\", must be a whole number from 1 to 10000\n"},
    {"worker: {threads: 10001}\n",
     ":1: worker.threads is \"10001\", must be a whole number from 1 to 10000\n"},
    {"redis:\n  max_concurrent_ops: 100\n  max_connections: 100\n",
     ":3: redis.max_connections is 100, but 103 are needed: 100 permits + 1 heartbeat + 1 control "
     "+ 1 blocking wait\n"},
    {"worker: {queues: [a, \"b c\"]}\n",
     ":1: worker.queues: \"b c\" is no queue name, must be 1 to 256 printable bytes without space, "
     "comma, colon or quote\n"},
    {"handlers:\n  - {class: x}\n",
     ":2: handler \"x\" has no kind, must have exactly one of plugin, exec, process and http\n"},
    {"handlers:\n  - {class: x, plugin: /nowhere/at/all.so}\n",
     ":2: /nowhere/at/all.so: cannot open shared object file: No such file or directory\n"},
    {"handlers:\n  - {class: x, plugin: \"" TEST_BINARY_DIR "/tests/bad_abi.so\"}\n",
     ":2: " TEST_BINARY_DIR
     "/tests/bad_abi.so was built for handler ABI 2, this worker speaks 1\n"},
    {"handlers:\n  - {class: x, plugin: \"" TEST_BINARY_DIR "/tests/bad_symbol.so\"}\n",
     ":2: " TEST_BINARY_DIR "/tests/bad_symbol.so: no symbol \"sluice_plugin\"\n"},
    {"handlers:\n  - {class: x, exec: [/nowhere/at/all]}\n",
     ":2: exec: /nowhere/at/all: No such file or directory\n"},
};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

static void check_line(const char *text, const char *line)
{
    size_t n = strlen(worker.settings);
    ck_assert_msg(strncmp(text, worker.settings, n) == 0, "%s", text);
    ck_assert_str_eq(text + n, line);
}

START_TEST(bad_settings_are_refused_in_one_line)
{
    const struct refusal *r = &refusals[_i];
    int status;
    char *text = check_config(r->settings, &status);
    ck_assert_msg(status == 2, "status %d: %s", status, text);
    check_line(text, r->line);
    free(text);
    worker_process_free(&worker);

    /* Started with them, the worker says the same and goes. */
    worker_process_spawn(&worker, &server, &(struct worker_options){.settings = r->settings});
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 2);
    text = worker_process_log(&worker);
    check_line(text, r->line);
    free(text);
}
END_TEST

static void copy_worker(const char *to)
{
    struct stat st;
    int in = open(WORKER_PROGRAM, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    ck_assert(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    for (off_t done = 0; done < st.st_size;)
        ck_assert_int_gt(sendfile(out, in, &done, (size_t)(st.st_size - done)), 0);
    ck_assert_int_eq(close(in), 0);
    ck_assert_int_eq(close(out), 0);
}

/* It lies beside the worker; here the worker has been taken elsewhere alone. */
START_TEST(bounds_need_their_program)
{
    char folder[128], copy[160], line[256];
    (void)snprintf(folder, sizeof folder, "%s/bin", server.dir);
    (void)snprintf(copy, sizeof copy, "%s/worker", folder);
    (void)snprintf(
        line, sizeof line,
        ":2: max_cpu and max_memory need %s/../libexec/sluice/sluice-limit: No such file "
        "or directory\n",
        folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    copy_worker(copy);
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){
            .program = copy, .settings = "handlers:\n  - {class: x, exec: [sh], max_cpu: 1}\n"});
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 2);
    char *text = worker_process_log(&worker);
    check_line(text, line);
    free(text);
    ck_assert_int_eq(unlink(copy), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(settings_that_are_no_yaml_are_refused)
{
    int status;
    char *text = check_config("worker: {threads: 3\n", &status);
    ck_assert_int_eq(status, 2);
    ck_assert_ptr_nonnull(strstr(text, ".yaml:2: "));
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}
END_TEST

START_TEST(bad_environment_is_refused)
{
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){.env = (const char *const[]){"SLUICE_THREADS=-1", NULL}});
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 2);
    char *text = worker_process_log(&worker);
    ck_assert_ptr_nonnull(strstr(text, "SLUICE_THREADS"));
    ck_assert_ptr_nonnull(strstr(text, "1 to 10000"));
    free(text);
}
END_TEST

/* default < file < environment < flag */
START_TEST(later_sources_win)
{
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){
            .settings = "worker: {threads: 3, queues: [file]}\n",
            .env = (const char *const[]){"SLUICE_THREADS=4", "SLUICE_QUEUES=environment", NULL},
            .args = (const char *const[]){"--check-config", "--threads", "5", NULL}});
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    char *text = worker_process_log(&worker);
    ck_assert_ptr_nonnull(strstr(text, "threads: 5"));
    ck_assert_ptr_nonnull(strstr(text, "environment"));
    ck_assert_ptr_nonnull(strstr(text, "shutdown_timeout: 25"));
    free(text);
}
END_TEST

static bool processed(int64_t n)
{
    return must_int(redis, "GET stat:processed") == n;
}

START_TEST(reload_changes_handlers)
{
    start_worker("worker: {threads: 2}\n");
    push("default", "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}");
    wait_until(HANG_MS, must_int(redis, "ZCARD retry") == 1); /* no handler yet */
    worker_process_rewrite(&worker, good);
    worker_process_signal(&worker, SIGHUP);
    wait_said("settings reloaded");
    push("default", "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}");
    wait_until(HANG_MS, times_in_file("ran", " end\n") == 1);
}
END_TEST

/* Jobs that run at the same time now, as the dashboard is told. */
static void push_sleepers(int n)
{
    for (int i = 0; i < n; i++)
        push("default", "{\"class\":\"test\",\"args\":[{\"log\":\"ran\",\"sleep_ms\":200}]}");
}

/* The most that ran at once: starts minus ends, over the log. */
static int most_at_once(void)
{
    int now = 0, most = 0;
    char *whole = worker_process_file(&worker, "ran");
    for (char *line = strtok(whole, "\n"); line; line = strtok(NULL, "\n")) {
        now += strstr(line, " start") ? 1 : -1;
        most = now > most ? now : most;
    }
    free(whole);
    return most;
}

static void forget_log(void)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/ran", server.dir);
    ck_assert_int_eq(unlink(path), 0);
}

static void reload_threads(int threads, int reloads)
{
    char text[512];
    (void)snprintf(text, sizeof text, "worker: {threads: %d}\nhandlers:\n" TEST_HANDLER, threads);
    worker_process_rewrite(&worker, text);
    worker_process_signal(&worker, SIGHUP);
    wait_until(HANG_MS, worker_process_count(&worker, "settings reloaded") == reloads);
}

START_TEST(reload_changes_threads_up_and_down)
{
    static const int threads[] = {1, 6, 2, 5};
    int64_t jobs = 0;
    start_worker("worker: {threads: 3}\nhandlers:\n" TEST_HANDLER);
    for (int i = 0; i < 4; i++) {
        reload_threads(threads[i], i + 1);
        push_sleepers(2 * threads[i] + 2);
        jobs += 2 * threads[i] + 2;
        wait_until(HANG_MS, processed(jobs));
        ck_assert_int_eq(most_at_once(), threads[i]);
        forget_log();
    }
}
END_TEST

START_TEST(reload_changes_permits)
{
    start_worker("redis: {max_concurrent_ops: 5, max_connections: 40}\n"
                 "worker: {threads: 2}\nhandlers:\n" TEST_HANDLER);
    worker_process_rewrite(&worker, "redis: {max_concurrent_ops: 9, max_connections: 40}\n"
                                    "worker: {threads: 2}\nhandlers:\n" TEST_HANDLER);
    worker_process_signal(&worker, SIGHUP);
    wait_said("settings reloaded");
    worker_process_signal(&worker, SIGUSR1);
    wait_said("msg=\"state: gate\" permits=9 ");
}
END_TEST

static const char *const unusable[] = {
    "worker: {threads: none}\n",
    "nonsense: 1\n",
    "handlers:\n  - {class: x, plugin: /nowhere/at/all.so}\n",
    "redis: {max_concurrent_ops: 200, max_connections: 40}\n",
    "redis: {max_concurrent_ops: 200, max_connections: 240}\n" /* the pool is what it is */
    "worker: {threads: 3}\nhandlers:\n" TEST_HANDLER,
};
enum { UNUSABLE = sizeof unusable / sizeof unusable[0] };

START_TEST(bad_settings_keep_the_old)
{
    start_worker("redis: {max_concurrent_ops: 5, max_connections: 40}\n"
                 "worker: {threads: 2}\nhandlers:\n" TEST_HANDLER);
    for (int i = 0; i < UNUSABLE; i++) {
        worker_process_rewrite(&worker, unusable[i]);
        worker_process_signal(&worker, SIGHUP);
        wait_until(HANG_MS, worker_process_count(&worker, "settings were not reloaded") == i + 1);
        push("default", "{\"class\":\"test\",\"args\":[{}]}");
        wait_processed(i + 1);
    }
    ck_assert_int_eq(must_int(redis, "EXISTS retry"), 0);
    worker_process_signal(&worker, SIGUSR1);
    wait_said("msg=\"state: gate\" permits=5 ");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker settings");
    TCase *tc = new_case(suite, "check");
    tcase_add_test(tc, good_settings_are_shown);
    tcase_add_loop_test(tc, bad_settings_are_refused_in_one_line, 0, REFUSALS);
    tcase_add_test(tc, bounds_need_their_program);
    tcase_add_test(tc, settings_that_are_no_yaml_are_refused);
    tcase_add_test(tc, bad_environment_is_refused);
    tcase_add_test(tc, later_sources_win);
    tc = new_case(suite, "reload");
    tcase_add_test(tc, reload_changes_handlers);
    tcase_add_test(tc, reload_changes_threads_up_and_down);
    tcase_add_test(tc, reload_changes_permits);
    tcase_add_test(tc, bad_settings_keep_the_old);
    return suite;
}
