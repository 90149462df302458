/* The daemons under a service manager: what they tell systemd, what they take over by a reload, and
 * what --check-health says. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "support/program.h"
#include "test_api.h"

/* ---- a manager: the end of $NOTIFY_SOCKET ---- */

struct manager {
    int fd;
    char variable[160];
};

static struct manager manager;

static void open_manager(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s/notify", server.dir);
    (void)snprintf(manager.variable, sizeof manager.variable, "NOTIFY_SOCKET=%s", addr.sun_path);
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(manager.fd, 0);
    ck_assert_int_eq(bind(manager.fd, (const struct sockaddr *)&addr, sizeof addr), 0);
}

/* Reads on until a message begins so; returns how many watchdogs came before it. */
static int told(const char *text)
{
    char message[256];
    int dogs = 0;
    for (;;) {
        struct pollfd p = {.fd = manager.fd, .events = POLLIN};
        ck_assert_msg(poll(&p, 1, HANG_MS) == 1, "never told: %s", text);
        ssize_t n = recv(manager.fd, message, sizeof message - 1, 0);
        ck_assert_int_gt(n, 0);
        message[n] = '\0';
        if (strncmp(message, text, strlen(text)) == 0)
            return dogs;
        ck_assert_msg(strcmp(message, "WATCHDOG=1") == 0, "\"%s\" instead of \"%s\"", message,
                      text);
        dogs++;
    }
}

static const char *const *environment(void)
{
    static const char *env[3];
    env[0] = manager.variable;
    env[1] = "WATCHDOG_USEC=100000";
    return env;
}

START_TEST(the_worker_tells_systemd)
{
    open_manager();
    worker_process_spawn(&worker, &server,
                         &(struct worker_options){.settings = "worker: {shutdown_timeout: 77}\n",
                                                  .env = environment()});
    (void)told("READY=1\nSTATUS=working");
    (void)told("WATCHDOG=1");
    worker_process_signal(&worker, SIGHUP);
    (void)told("RELOADING=1");
    (void)told("READY=1");
    worker_process_signal(&worker, SIGTERM);
    (void)told("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=117000000");
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
}
END_TEST

START_TEST(the_api_tells_systemd)
{
    open_manager();
    start_api_at(NULL, "api: {stop_timeout: 3}\n", environment());
    (void)told("READY=1\nSTATUS=serving");
    (void)told("WATCHDOG=1");
    worker_process_signal(&worker, SIGHUP);
    (void)told("RELOADING=1");
    (void)told("READY=1");
    worker_process_signal(&worker, SIGTERM);
    (void)told("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=18000000");
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
}
END_TEST

/* ---- the API's reload ---- */

static void reload(const char *settings, const char *says)
{
    worker_process_rewrite(&worker, settings);
    worker_process_signal(&worker, SIGHUP);
    wait_said(says);
}

START_TEST(a_reload_changes_tokens)
{
    static const char old[] = "Authorization: Bearer old-secret\r\n";
    static const char new[] = "Authorization: Bearer new-secret\r\n";
    start_api("api: {token: old-secret}\n");
    ck_assert_int_eq(status_with("GET", "/readyz", old), 200);
    reload("api: {token: new-secret, max_body: 2048}\nlog: {level: debug}\n", "settings reloaded");
    ck_assert_int_eq(status_with("GET", "/readyz", old), 401);
    ck_assert_int_eq(status_with("GET", "/readyz", new), 200);
    ck_assert(worker_process_said(&worker, "setting=api.max_body"));
    ck_assert_int_eq(worker_process_count(&worker, "needs a restart"), 1);
    ck_assert(!worker_process_said(&worker, "new-secret"));
}
END_TEST

START_TEST(bad_settings_leave_the_old_ones)
{
    start_api("api: {token: old-secret}\n");
    reload("api: {tokens: x}\n", "unknown key");
    reload("api: {token: x, max_wait: 0}\n", "api.max_wait");
    ck_assert_int_eq(worker_process_count(&worker, "settings were not reloaded"), 2);
    ck_assert_int_eq(status_with("GET", "/readyz", "Authorization: Bearer old-secret\r\n"), 200);
    ck_assert_int_eq(status_of("/readyz"), 401);
}
END_TEST

/* ---- --check-health ---- */

/* What `PROGRAM --check-health` with these settings ends with. */
static int health_of(const char *program, const char *variable, const char *token)
{
    struct program p = {.env = {variable, token}};
    const char *const argv[] = {program, "--check-health", NULL};
    program_start(&p, argv);
    int status = program_wait(&p);
    ck_assert_int_eq(p.out[0], '\0');
    ck_assert_msg((status == 0) == (p.err[0] == '\0'), "%d: %s", status, p.err);
    program_end(&p);
    return status;
}

START_TEST(health_of_a_worker)
{
    char variable[64];
    (void)snprintf(variable, sizeof variable, "SLUICE_METRICS_LISTEN=127.0.0.1:%d",
                   redis_server_free_port());
    ck_assert_int_eq(health_of(WORKER_PROGRAM, variable, NULL), 1); /* nobody is there */
    worker_process_start(&worker, &server,
                         &(struct worker_options){.env = (const char *const[]){variable, NULL}});
    ck_assert_int_eq(health_of(WORKER_PROGRAM, variable, NULL), 0);
    worker_process_signal(&worker, SIGTSTP);
    wait_said("quiet: no new jobs");
    ck_assert_int_eq(health_of(WORKER_PROGRAM, variable, NULL), 1);
    ck_assert_int_eq(health_of(WORKER_PROGRAM, "SLUICE_METRICS_LISTEN=off", NULL), 2);
}
END_TEST

START_TEST(health_of_the_api)
{
    char variable[64];
    start_api("api: {token: secret}\n");
    (void)snprintf(variable, sizeof variable, "SLUICE_API_LISTEN=127.0.0.1:%d", port);
    ck_assert_int_eq(health_of(API_PROGRAM, variable, "SLUICE_API_TOKEN=secret"), 0);
    ck_assert_int_eq(health_of(API_PROGRAM, variable, NULL), 1);
    redis_server_stop(&server);
    wait_until(HANG_MS, health_of(API_PROGRAM, variable, "SLUICE_API_TOKEN=secret") == 1);
    restart_redis();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("service");
    TCase *tc = new_case(suite, "systemd");
    tcase_add_test(tc, the_worker_tells_systemd);
    tcase_add_test(tc, the_api_tells_systemd);
    tc = new_case(suite, "reload");
    tcase_add_test(tc, a_reload_changes_tokens);
    tcase_add_test(tc, bad_settings_leave_the_old_ones);
    tc = new_case(suite, "health");
    tcase_add_test(tc, health_of_a_worker);
    tcase_add_test(tc, health_of_the_api);
    return suite;
}
