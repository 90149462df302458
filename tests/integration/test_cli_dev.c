/* `sluice dev` from outside: it starts, works, stops, and leaves nothing behind. */
#include "support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "support/http_ask.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/sluice.h"

enum { PATIENCE_MS = 60000 };

static struct program dev;
static char url[96], dir[128];
static int port; /* the API's */
static pid_t worker_pid, api_pid, redis_pid;
static struct redis_conn *conn;

static bool printed(const char *text)
{
    int status;
    program_read(&dev);
    if (!strstr(dev.out, text) && program_ended(&dev, &status))
        ck_abort_msg("it ended with %d: %s", status, dev.err);
    return strstr(dev.out, text) != NULL;
}

static void take_word(const char *after, char *ret, size_t size)
{
    const char *p = strstr(dev.out, after);
    ck_assert_msg(p != NULL, "%s", dev.out);
    p += strlen(after);
    (void)snprintf(ret, size, "%.*s", (int)strcspn(p, ", \n"), p);
}

static void start_dev(const char *config)
{
    char pid[16], listen[64];
    (void)snprintf(listen, sizeof listen, "SLUICE_API_LISTEN=127.0.0.1:%d",
                   redis_server_free_port());
    dev = (struct program){.env = {"SLUICE_METRICS_LISTEN=off", listen}};
    program_start(&dev, (const char *const[]){SLUICE_BINARY, "dev", config ? "--config" : NULL,
                                              config, NULL});
    wait_until(PATIENCE_MS, printed("Ctrl-C"));
    take_word("export REDIS_URL=", url, sizeof url);
    take_word("pid ", pid, sizeof pid);
    worker_pid = atoi(pid);
    take_word("API      pid ", pid, sizeof pid);
    api_pid = atoi(pid);
    take_word("dashboard: http://127.0.0.1:", pid, sizeof pid);
    port = atoi(pid);
    struct redis_server s = {.pid = 0};
    (void)snprintf(s.socket, sizeof s.socket, "%s", url + strlen("unix://"));
    (void)snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(s.socket, '/') - s.socket), s.socket);
    struct redis_options o = server_options(&s);
    conn = must_open(&o);
    struct reply *info = must_call(conn, "INFO server");
    const char *at = memmem(reply_str(info).p, reply_str(info).n, "process_id:", 11);
    ck_assert_ptr_nonnull(at);
    redis_pid = atoi(at + 11);
    reply_free(info);
}

static void nothing_is_left(void)
{
    struct stat st;
    ck_assert_msg(stat(dir, &st) != 0 && errno == ENOENT, "%s is left", dir);
    ck_assert(proc_is_gone(worker_pid));
    ck_assert(proc_is_gone(api_pid));
    ck_assert(proc_is_gone(redis_pid));
}

static void end(void)
{
    redis_conn_free(conn);
    conn = NULL;
    program_end(&dev);
}

static bool worker_is_shown(void)
{
    struct sluice r = sluice(url, NULL, "workers");
    bool shown = strstr(r.out, "running") != NULL;
    sluice_free(&r);
    return shown;
}

static bool is_stopping(void)
{
    program_read(&dev);
    return strstr(dev.err, "sluice dev: stopping") != NULL;
}

START_TEST(it_works_and_stops)
{
    start_dev(NULL);
    struct stat st;
    ck_assert_int_eq(stat(dir, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    struct sluice r = sluice(url, NULL, "enqueue", "checksum", "/etc/hostname", "--track");
    ck_assert_msg(r.status == 0, "%s", r.err);
    r.out[strcspn(r.out, "\n")] = '\0';
    wait_until(PATIENCE_MS, must_int(conn, "HEXISTS sluice:job:%s result", r.out) == 1);
    sluice_free(&r);
    wait_until(PATIENCE_MS, worker_is_shown());
    struct answer a = ask_for(port, "GET", "/", "", slice_of(""));
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.text, "<title>Sluice</title>"));
    free(a.text);

    ck_assert_int_eq(kill(dev.pid, SIGTERM), 0);
    ck_assert_int_eq(program_wait(&dev), 0);
    ck_assert_ptr_nonnull(strstr(dev.err, "sluice dev: stopping"));
    nothing_is_left();
}
END_TEST

START_TEST(the_second_interrupt_does_not_wait)
{
    start_dev(NULL);
    struct sluice r = sluice(url, NULL, "enqueue", "sleep", "--args", "[600]");
    ck_assert_msg(r.status == 0, "%s", r.err);
    sluice_free(&r);
    wait_until(PATIENCE_MS, must_int(conn, "LLEN queue:default") == 0);
    ck_assert_int_eq(kill(dev.pid, SIGINT), 0);
    wait_until(PATIENCE_MS, is_stopping()); /* two that wait are one */
    int64_t began = clock_now_ns();
    ck_assert_int_eq(kill(dev.pid, SIGINT), 0);
    ck_assert_int_eq(program_wait(&dev), 0);
    ck_assert_int_lt((clock_now_ns() - began) / NS_PER_S, 20); /* the drain would take 25 s */
    nothing_is_left();
}
END_TEST

START_TEST(a_child_that_dies_is_named)
{
    static const struct {
        pid_t *pid;
        const char *line;
    } cases[] = {
        {&redis_pid, "sluice dev: Redis was killed by signal 9 (Killed) unexpectedly\n"},
        {&api_pid, "sluice dev: The API was killed by signal 9 (Killed) unexpectedly\n"},
        {&worker_pid, "sluice dev: The worker was killed by signal 9 (Killed) unexpectedly\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start_dev(NULL);
        ck_assert_int_eq(kill(*cases[i].pid, SIGKILL), 0);
        ck_assert_int_eq(program_wait(&dev), 1);
        ck_assert_msg(strstr(dev.err, cases[i].line) != NULL, "%s", dev.err);
        nothing_is_left();
        end();
    }
}
END_TEST

/* Killed, it can clean up nothing; the kernel tells its children. */
START_TEST(killed_it_leaves_no_process)
{
    char command[256];
    start_dev(NULL);
    ck_assert_int_eq(kill(dev.pid, SIGKILL), 0);
    ck_assert_int_eq(program_wait(&dev), 128 + SIGKILL);
    wait_until(PATIENCE_MS,
               proc_is_gone(redis_pid) && proc_is_gone(worker_pid) && proc_is_gone(api_pid));
    (void)snprintf(command, sizeof command, "rm -r '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(settings_of_ones_own)
{
    char path[] = "/tmp/sluice-test-dev-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_gt(dprintf(fd, "redis: {url: 'redis://127.0.0.1:1', key_prefix: 'mine:'}\n"
                                 "worker: {threads: 3, queues: [a, b]}\n"
                                 "handlers:\n"
                                 "  - {class: echo, exec: [/bin/cat], track: true}\n"),
                     0);
    (void)close(fd);
    start_dev(path);
    ck_assert_msg(strstr(dev.out, "3 threads, queues: a, b\n") != NULL, "%s", dev.out);
    must_do(conn, "LPUSH mine:queue:b %s", "{\"class\":\"echo\",\"args\":[],\"jid\":\"j1\"}");
    wait_until(PATIENCE_MS, must_int(conn, "EXISTS mine:sluice:job:j1") == 1);
    ck_assert_int_eq(kill(dev.pid, SIGTERM), 0);
    ck_assert_int_eq(program_wait(&dev), 0);
    nothing_is_left();
    (void)unlink(path);
}
END_TEST

START_TEST(what_cannot_start_says_why)
{
    char path[] = "/tmp/sluice-test-dev-XXXXXX", line[64];
    int fd = mkstemp(path);
    ck_assert_int_gt(dprintf(fd, "worker:\n  thread: 3\n"), 0);
    (void)close(fd);
    (void)snprintf(line, sizeof line, "%s:2: ", path);
    struct sluice r = sluice(NULL, NULL, "dev", "--config", path);
    ck_assert_int_eq(r.status, 2);
    ck_assert_msg(strncmp(r.err, line, strlen(line)) == 0, "%s", r.err);
    sluice_free(&r);
    (void)unlink(path);

    r = sluice(NULL, NULL, "dev", "--redis-server", "/nonexistent/redis-server");
    ck_assert_int_eq(r.status, 1);
    ck_assert_str_eq(r.err, "sluice dev: /nonexistent/redis-server: No such file or directory\n");
    sluice_free(&r);

    r = sluice(NULL, NULL, "dev", "--redis-server", "/bin/false");
    ck_assert_int_eq(r.status, 1);
    ck_assert_str_eq(r.err, "sluice dev: Redis exited with status 1 unexpectedly\n");
    sluice_free(&r);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("sluice dev");
    TCase *t = tcase_create("dev");
    (void)signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 240);
    tcase_add_checked_fixture(t, NULL, end);
    tcase_add_test(t, it_works_and_stops);
    tcase_add_test(t, the_second_interrupt_does_not_wait);
    tcase_add_test(t, a_child_that_dies_is_named);
    tcase_add_test(t, killed_it_leaves_no_process);
    tcase_add_test(t, settings_of_ones_own);
    tcase_add_test(t, what_cannot_start_says_why);
    suite_add_tcase(s, t);
    return s;
}
