/*
 * recovery: a worker that runs jobs is killed (SIGKILL); how long until another replica has begun
 * all of them anew, beside the lease, which has to run out before anybody may take them.
 *
 * Each round is a laboratory of its own, Redis included, and all rounds go on side by side, as they
 * do nothing but wait. Each kill comes at another moment between two renewals of the lease.
 *
 * Usage: recovery [ROUNDS [LEASE_SECONDS]]
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "key_figures.h"
#include "lab.h"
#include "store/cancel.h"
#include "store/enqueue.h"

enum { ROUNDS_MAX = 50, JOBS = 10, START_MS = 10000, PATIENCE_MS = 60000 /* beyond the lease */ };

struct round {
    struct lab lab;
    pid_t victim, heir;
    char jid[JOBS][25];
    int fd;    /* of the fifo into which each job writes a byte when it begins */
    int begun; /* of all jobs, by both workers */
    int64_t kill_at_ns;
    int64_t killed_ns; /* 0: it lives */
    double took_s;     /* from the kill until the last job had begun anew */
};

static void push_jobs(struct round *r, const char *fifo)
{
    char text[JOBS][320];
    struct slice payloads[JOBS];
    struct err err = {""};
    for (int i = 0; i < JOBS; i++) {
        random_hex(r->jid[i], 12);
        int n = snprintf(text[i], sizeof text[i],
                         "{\"class\":\"wait.plugin\",\"args\":[\"%s\"],\"jid\":\"%s\"}", fifo,
                         r->jid[i]);
        payloads[i] = (struct slice){text[i], (size_t)n};
    }
    if (store_push(r->lab.store, r->lab.conn, "default", payloads, JOBS, NULL, &err) != 0)
        lab_fail("push: %s", err.text);
}

static void count_begun(struct round *r)
{
    char bytes[2 * JOBS];
    ssize_t n = read(r->fd, bytes, sizeof bytes);
    if (n <= 0)
        lab_fail("the fifo is broken");
    r->begun += (int)n;
    if (r->begun > (r->killed_ns ? 2 : 1) * JOBS)
        lab_fail("a job has begun twice");
}

/* Until the victim runs all jobs, and its heir is there and has nothing to do. */
static void open_round(struct round *r, int lease_s)
{
    char fifo[160], yaml[512];
    *r = (struct round){0};
    lab_open(&r->lab, NULL);
    (void)snprintf(fifo, sizeof fifo, "%s/begun", r->lab.server.dir);
    if (mkfifo(fifo, 0600) != 0 || (r->fd = open(fifo, O_RDWR | O_CLOEXEC)) < 0)
        lab_fail("no fifo");
    (void)snprintf(yaml, sizeof yaml,
                   "  - {class: wait.plugin, plugin: %s/bench/waiter.so}\n"
                   "worker: {lease: %d}\n",
                   BENCH_BUILD_DIR, lease_s);
    r->victim = lab_worker(&r->lab, yaml);
    push_jobs(r, fifo);
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    while (r->begun < JOBS) {
        if (poll(&p, 1, START_MS) != 1)
            lab_fail("the jobs do not begin");
        count_begun(r);
    }
    r->heir = lab_worker(&r->lab, yaml);
}

static void kill_victim(struct round *r)
{
    r->killed_ns = clock_now_ns();
    if (kill(r->victim, SIGKILL) != 0 || waitpid(r->victim, NULL, 0) != r->victim)
        lab_fail("the worker cannot be killed");
}

/* Kills whom it is time to kill. Returns how long nothing else is to be done. */
static int kill_due(struct round *rounds, int n, int patience_ms)
{
    int64_t now = clock_now_ns(), next_ns = now + patience_ms * NS_PER_MS;
    for (int i = 0; i < n; i++) {
        struct round *r = &rounds[i];
        if (r->killed_ns == 0 && r->kill_at_ns <= now)
            kill_victim(r);
        else if (r->killed_ns == 0 && r->kill_at_ns < next_ns)
            next_ns = r->kill_at_ns;
    }
    return (int)((next_ns - now) / NS_PER_MS) + 1;
}

static void run_rounds(struct round *rounds, int n, int lease_s)
{
    struct pollfd fds[ROUNDS_MAX];
    int left = n, patience_ms = lease_s * 1000 + PATIENCE_MS;
    for (int i = 0; i < n; i++) {
        fds[i] = (struct pollfd){.fd = rounds[i].fd, .events = POLLIN};
        rounds[i].kill_at_ns =
            clock_now_ns() + (int64_t)random_below((uint64_t)lease_s * (uint64_t)NS_PER_S / 3);
    }
    while (left > 0) {
        int wait_ms = kill_due(rounds, n, patience_ms), ready = poll(fds, (nfds_t)n, wait_ms);
        if (ready < 0 || (ready == 0 && wait_ms > patience_ms))
            lab_fail("%d of %d killed workers' jobs do not begin anew", left, n);
        for (int i = 0; i < n; i++) {
            struct round *r = &rounds[i];
            if (!fds[i].revents)
                continue;
            count_begun(r);
            if (r->begun == 2 * JOBS) {
                r->took_s = (double)(clock_now_ns() - r->killed_ns) / (double)NS_PER_S;
                left--;
            }
        }
    }
}

static void close_round(struct round *r)
{
    struct err err = {""};
    for (int i = 0; i < JOBS; i++)
        if (store_cancel(r->lab.store, r->lab.conn, r->jid[i], &err) != 0)
            lab_fail("cancel: %s", err.text);
    lab_worker_stop(r->heir);
    (void)close(r->fd); /* nothing is wanted any more */
    lab_close(&r->lab);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 7, lease_s = argc > 2 ? atoi(argv[2]) : 15;
    static struct round rounds[ROUNDS_MAX];
    double took[ROUNDS_MAX];
    if (n < 1 || n > ROUNDS_MAX || lease_s < 1)
        lab_fail("usage: recovery [ROUNDS [LEASE_SECONDS]]   (ROUNDS 1..%d)", ROUNDS_MAX);
    for (int i = 0; i < n; i++)
        open_round(&rounds[i], lease_s);
    run_rounds(rounds, n, lease_s);
    for (int i = 0; i < n; i++) {
        took[i] = rounds[i].took_s;
        close_round(&rounds[i]);
    }
    double median = lab_median(took, n), worst = took[n - 1];
    printf("kill -9 of a worker with %d running jobs, %d times, a lease of %d s\n", JOBS, n,
           lease_s);
    printf("  until all of them run elsewhere   median %.2f s   best %.2f s   worst %.2f s\n",
           median, took[0], worst);
    key_figure(median, "median_s");
    key_figure(worst, "worst_s");
    key_figure(lease_s, "lease_s");
    key_figure(worst - lease_s, "beyond_lease_s");
    key_figures_print();
    return 0;
}
