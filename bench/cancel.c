/*
 * cancel: from the order to cancel a tracked job that runs (what `sluice cancel` sends) until
 *
 *   told      the handler has been told and acts on it: a plugin and a warm process have seen
 *             cancelled(), a program has died of SIGTERM, the connection of a request is closed
 *   recorded  the job is recorded as stopped: the hint of its final event arrives
 *
 * beside the floor, a PUBLISH that comes back to a subscriber. Each handler holds an end of
 * something that this program holds the other end of (a fifo, a connection): its opening says that
 * the job runs, its end that the handler was told.
 *
 * Usage: cancel [JOBS]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "key_figures.h"
#include "lab.h"
#include "store/cancel.h"
#include "store/enqueue.h"

enum { JOBS_MAX = 100000, WARM_UP = 5, PAUSE_US = 20000, PATIENCE_MS = 10000 };

struct bench {
    struct lab lab;
    struct redis_conn *ears; /* hears of all streams */
    char fifo[160];
    int listener, port; /* of the endpoint that never answers */
};

static double ms_since(int64_t began_ns)
{
    return (double)(clock_now_ns() - began_ns) / (double)NS_PER_MS;
}

/* key: of the figures' names. */
static void report(const char *what, const char *key, double *ms, int n)
{
    (void)lab_median(ms, n); /* sorts */
    printf("  %-24s p50 %7.2f ms   p99 %7.2f ms   max %7.2f ms\n", what, ms[n / 2],
           ms[(int)(n * 0.99)], ms[n - 1]);
    key_figure(ms[n / 2], "%s_p50_ms", key);
    key_figure(ms[(int)(n * 0.99)], "%s_p99_ms", key);
}

static void hear(struct bench *b)
{
    struct reply *message = NULL;
    if (redis_conn_read(b->ears, &message, NULL) != 0)
        lab_fail("the subscription broke");
    reply_free(message);
}

static void run_floor(struct bench *b, double *ms, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t began_ns = clock_now_ns();
        (void)lab_int(&b->lab, "PUBLISH sluice:stream:floor 1");
        hear(b);
        ms[i] = ms_since(began_ns);
        (void)usleep(PAUSE_US / 10);
    }
}

/* ---- the handlers' other end ---- */

static void listen_for_requests(struct bench *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (b->listener < 0 || bind(b->listener, (struct sockaddr *)&at, n) != 0 ||
        listen(b->listener, 16) != 0 || getsockname(b->listener, (struct sockaddr *)&at, &n) != 0)
        lab_fail("cannot listen");
    b->port = ntohs(at.sin_port);
}

/* Waits until the handler of the next job has begun. */
static int meet_at_fifo(struct bench *b)
{
    return open(b->fifo, O_RDONLY | O_CLOEXEC);
}

static int meet_at_socket(struct bench *b)
{
    return accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Passes over what comes (a request). True at the end. */
static bool has_ended(int fd)
{
    char bytes[4096];
    return read(fd, bytes, sizeof bytes) <= 0;
}

/* ---- one job ---- */

static void push(struct bench *b, const char *klass, char jid[25])
{
    char text[512];
    struct err err = {""};
    random_hex(jid, 12);
    int n = snprintf(text, sizeof text,
                     "{\"class\":\"%s\",\"args\":[\"%s\"],\"jid\":\"%s\",\"track\":true}", klass,
                     b->fifo, jid);
    struct slice payload = {text, (size_t)n};
    if (store_push(b->lab.store, b->lab.conn, "default", &payload, 1, NULL, &err) != 0)
        lab_fail("push: %s", err.text);
}

static void check_stopped(struct bench *b, const char *jid)
{
    struct reply *state = NULL;
    struct err err = {""};
    if (redis_callf(b->lab.conn, &state, &err, "HGET sluice:job:%s state", jid) != 0)
        lab_fail("HGET: %s", err.text);
    if (!slice_is(reply_str(state), "stopped"))
        lab_fail("a cancelled job is not recorded as stopped");
    reply_free(state);
}

static void cancel_one(struct bench *b, const char *klass, int (*meet)(struct bench *),
                       double *ret_told_ms, double *ret_recorded_ms)
{
    char jid[25];
    struct err err = {""};
    bool told = false, recorded = false;
    push(b, klass, jid);
    int fd = meet(b);
    if (fd < 0)
        lab_fail("the handler of %s is not met", klass);
    (void)usleep(PAUSE_US);
    int64_t began_ns = clock_now_ns();
    if (store_cancel(b->lab.store, b->lab.conn, jid, &err) != 0)
        lab_fail("cancel: %s", err.text);
    while (!told || !recorded) {
        struct pollfd fds[2] = {
            {.fd = told ? -1 : fd, .events = POLLIN},
            {.fd = recorded ? -1 : redis_conn_fd(b->ears), .events = POLLIN},
        };
        if (poll(fds, 2, PATIENCE_MS) <= 0)
            lab_fail("a job of %s does not stop", klass);
        if (fds[0].revents && has_ended(fd)) {
            *ret_told_ms = ms_since(began_ns);
            told = true;
        }
        if (fds[1].revents) {
            hear(b);
            *ret_recorded_ms = ms_since(began_ns);
            recorded = true;
        }
    }
    (void)close(fd);
    check_stopped(b, jid);
}

static void run_kind(struct bench *b, const char *what, const char *klass,
                     int (*meet)(struct bench *), int n)
{
    static double told[JOBS_MAX], recorded[JOBS_MAX];
    char name[64], key[64];
    for (int i = 0; i < WARM_UP; i++)
        cancel_one(b, klass, meet, &told[0], &recorded[0]);
    for (int i = 0; i < n; i++)
        cancel_one(b, klass, meet, &told[i], &recorded[i]);
    (void)snprintf(name, sizeof name, "%s, told", what);
    (void)snprintf(key, sizeof key, "%s_told", what);
    report(name, key, told, n);
    (void)snprintf(name, sizeof name, "%s, recorded", what);
    (void)snprintf(key, sizeof key, "%s_recorded", what);
    report(name, key, recorded, n);
}

static void open_bench(struct bench *b)
{
    struct err err = {""};
    lab_open(&b->lab, NULL);
    b->ears = lab_connect(&b->lab);
    if (redis_callf(b->ears, NULL, &err, "PSUBSCRIBE sluice:stream:*") != 0)
        lab_fail("PSUBSCRIBE: %s", err.text);
    (void)snprintf(b->fifo, sizeof b->fifo, "%s/held", b->lab.server.dir);
    if (mkfifo(b->fifo, 0600) != 0)
        lab_fail("no fifo");
    listen_for_requests(b);
}

static pid_t start_worker(struct bench *b)
{
    char yaml[2048];
    (void)snprintf(yaml, sizeof yaml,
                   "  - {class: wait.plugin, plugin: %s/bench/waiter.so}\n"
                   "  - {class: wait.exec, exec: [sh, -c, \"exec sleep 60 >%s\"]}\n"
                   "  - {class: wait.py, process: [python3, %s/bench/waiter.py], processes: 2,\n"
                   "     env: {PYTHONPATH: %s/clients/python}}\n"
                   "  - {class: wait.http, http: \"http://127.0.0.1:%d/\"}\n",
                   BENCH_BUILD_DIR, b->fifo, BENCH_SOURCE_DIR, BENCH_SOURCE_DIR, b->port);
    return lab_worker(&b->lab, yaml);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 200;
    static double ms[JOBS_MAX];
    struct bench b;
    if (n < 10 || n > JOBS_MAX)
        lab_fail("usage: cancel [JOBS]   (10..%d)", JOBS_MAX);
    open_bench(&b);
    printf("cancel of %d running jobs of each kind, one at a time\n", n);
    run_floor(&b, ms, n);
    report("floor, bare PUBLISH", "floor", ms, n);
    pid_t pid = start_worker(&b);
    run_kind(&b, "plugin", "wait.plugin", meet_at_fifo, n);
    run_kind(&b, "exec", "wait.exec", meet_at_fifo, n);
    run_kind(&b, "process", "wait.py", meet_at_fifo, n);
    run_kind(&b, "http", "wait.http", meet_at_socket, n);
    lab_worker_stop(pid);
    (void)close(b.listener);
    redis_conn_free(b.ears);
    lab_close(&b.lab);
    key_figures_print();
    return 0;
}
