/*
 * pickup: from LPUSH to the start of the handler on an idle worker, beside the floor: a bare
 * client blocked in BLMOVE, from LPUSH to its reply.
 *
 * The handler is the stamp plugin, which writes the monotonic time at which it was called into a
 * pipe; both sides are on one machine, so the clocks agree.
 *
 * Usage: pickup [JOBS]
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "key_figures.h"
#include "lab.h"

enum { JOBS_MAX = 100000, PAUSE_US = 2000 };

/* key: of the figures' names. */
static void report(const char *what, const char *key, double *us, int n)
{
    (void)lab_median(us, n); /* sorts */
    printf("  %-22s p50 %7.0f us   p99 %7.0f us   max %7.0f us\n", what, us[n / 2],
           us[(int)(n * 0.99)], us[n - 1]);
    key_figure(us[n / 2] / 1000, "%s_p50_ms", key);
    key_figure(us[(int)(n * 0.99)] / 1000, "%s_p99_ms", key);
}

/* ---- the floor ---- */

struct blocked {
    struct lab *lab;
    int n;
    int pipe_fd;
    struct thread thread;
};

static void stamp(int fd)
{
    int64_t now = clock_now_ns();
    if (write(fd, &now, sizeof now) != (ssize_t)sizeof now)
        lab_fail("the pipe is broken");
}

static void *blocked_main(void *arg)
{
    struct blocked *b = arg;
    struct redis_conn *conn = lab_connect(b->lab);
    struct err err = {""};
    for (int i = 0; i < b->n; i++) {
        if (redis_callf(conn, NULL, &err, "BLMOVE queue:default landed RIGHT LEFT 0") != 0)
            lab_fail("BLMOVE: %s", err.text);
        stamp(b->pipe_fd);
    }
    redis_conn_free(conn);
    return NULL;
}

/* Pushes n jobs one by one, each after the last has started; fills us. */
static void push_and_wait(struct lab *lab, const char *queue, const char *payload, int pipe_fd,
                          double *us, int n)
{
    struct err err = {""};
    for (int i = 0; i < n; i++) {
        int64_t pushed = clock_now_ns(), started;
        if (redis_callf(lab->conn, NULL, &err, "LPUSH queue:%s %s", queue, payload) != 0)
            lab_fail("LPUSH: %s", err.text);
        if (read(pipe_fd, &started, sizeof started) != (ssize_t)sizeof started)
            lab_fail("the pipe is broken");
        us[i] = (double)(started - pushed) / 1000;
        (void)usleep(PAUSE_US); /* idle again, with its wait renewed */
    }
}

static void run_floor(struct lab *lab, double *us, int n)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        lab_fail("no pipe");
    struct blocked b = {.lab = lab, .n = n, .pipe_fd = fds[1]};
    if (thread_start(&b.thread, "blocked", blocked_main, &b) != 0)
        lab_fail("no thread");
    push_and_wait(lab, "default", "x", fds[0], us, n);
    thread_join(&b.thread);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* ---- the worker ---- */

static void run_worker(struct lab *lab, const char *queues, const char *queue, double *us, int n)
{
    char yaml[1024], fifo[160], payload[256];
    (void)snprintf(fifo, sizeof fifo, "%s/stamps", lab->server.dir);
    (void)unlink(fifo);
    if (mkfifo(fifo, 0600) != 0)
        lab_fail("no fifo");
    int fd = open(fifo, O_RDWR | O_CLOEXEC);
    (void)snprintf(yaml, sizeof yaml,
                   "  - {class: stamp, plugin: %s/bench/stamp.so}\nworker: {queues: [%s]}\n",
                   BENCH_BUILD_DIR, queues);
    (void)snprintf(payload, sizeof payload, "{\"class\":\"stamp\",\"args\":[\"%s\"]}", fifo);
    lab_flush(lab);
    pid_t pid = lab_worker(lab, yaml);
    double warm[20];
    push_and_wait(lab, queue, payload, fd, warm, 20);
    push_and_wait(lab, queue, payload, fd, us, n);
    lab_worker_stop(pid);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 2000;
    static double us[JOBS_MAX];
    struct lab lab;
    if (n < 10 || n > JOBS_MAX)
        lab_fail("usage: pickup [JOBS]   (10..%d)", JOBS_MAX);
    lab_open(&lab, NULL);
    printf("pickup of %d jobs, one at a time\n", n);
    run_floor(&lab, us, n);
    report("floor, bare BLMOVE", "floor", us, n);
    run_worker(&lab, "default", "default", us, n);
    report("worker, 1 queue", "q1", us, n);
    run_worker(&lab, "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p", "p", us, n);
    report("worker, 16 queues", "q16", us, n);
    lab_close(&lab);
    key_figures_print();
    return 0;
}
