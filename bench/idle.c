/*
 * idle: what a worker with nothing to do costs: Redis commands and CPU time per second, resident
 * memory, and which commands those are. Beside it the floor: the same server with no worker.
 *
 * Redis counts what a script calls like anything else (total_commands_processed), so that is what
 * is printed first; "sent" is what has come over a connection. Measured is the long run: a worker
 * that has just started looks closer for a lease, so the first seconds are left out.
 *
 * Usage: idle [SECONDS]
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "key_figures.h"
#include "lab.h"

enum { SETTLE_S = 20, NAMES_MAX = 64 };

struct count {
    char name[32];
    int sent, by_scripts;
};

struct counts {
    struct count of[NAMES_MAX];
    int n;
    int sent, all;
};

/* One line of MONITOR: `<time> [<db> <address>] "NAME" "argument" …`, whose address is "lua" for
 * what a script calls. */
static void count_line(struct counts *c, struct slice line)
{
    char text[256], name[32], address[128];
    (void)snprintf(text, sizeof text, "%.*s", (int)line.n, line.p);
    if (sscanf(text, "%*s [%*d %127[^]]] \"%31[^\"]\"", address, name) != 2)
        lab_fail("MONITOR: %s", text);
    for (char *at = name; *at; at++)
        *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    int i = 0;
    while (i < c->n && strcmp(c->of[i].name, name) != 0)
        i++;
    if (i == NAMES_MAX)
        lab_fail("MONITOR: more than %d kinds of commands", NAMES_MAX);
    if (i == c->n)
        memcpy(c->of[c->n++].name, name, sizeof name);
    bool sent = strcmp(address, "lua") != 0;
    c->of[i].sent += sent;
    c->of[i].by_scripts += !sent;
    c->sent += sent;
    c->all++;
}

static void read_line(struct redis_conn *conn, struct counts *counts)
{
    struct reply *reply = NULL;
    struct err err = {""};
    if (redis_conn_read(conn, &reply, &err) != 0)
        lab_fail("MONITOR: %s", err.text);
    if (counts)
        count_line(counts, reply_str(reply));
    reply_free(reply);
}

/* Everything that the server does in this time. */
static struct counts watch(struct lab *lab, double seconds)
{
    struct counts counts = {0};
    struct redis_conn *conn = lab_connect(lab);
    struct command monitor = {0};
    command_text(&monitor, "MONITOR");
    if (redis_conn_send(conn, &monitor) != 0)
        lab_fail("MONITOR was not sent");
    read_line(conn, NULL); /* OK */
    int64_t end = clock_now_ns() + (int64_t)(seconds * (double)NS_PER_S);
    while (clock_now_ns() < end) {
        struct pollfd fd = {.fd = redis_conn_fd(conn), .events = POLLIN};
        (void)poll(&fd, 1, clock_poll_ms(end)); /* EINTR: look anyway */
        bool ready = false;
        while (redis_conn_poll(conn, &ready) == 0 && ready)
            read_line(conn, &counts);
        if (redis_conn_broken(conn))
            lab_fail("MONITOR: the connection is gone");
    }
    command_release(&monitor);
    redis_conn_free(conn);
    return counts;
}

static int by_number(const void *a, const void *b)
{
    const struct count *x = a, *y = b;
    int nx = x->sent + x->by_scripts, ny = y->sent + y->by_scripts;
    return (nx < ny) - (nx > ny);
}

static void print_counts(struct counts *c, double seconds)
{
    qsort(c->of, (size_t)c->n, sizeof c->of[0], by_number);
    for (int i = 0; i < c->n; i++)
        printf("      %-12s %6.1f a minute sent, %6.1f by scripts\n", c->of[i].name,
               c->of[i].sent * 60 / seconds, c->of[i].by_scripts * 60 / seconds);
}

/* key: of the figures' names. */
static void measure(struct lab *lab, const char *what, const char *key, pid_t pid, double seconds)
{
    double cpu = pid ? lab_cpu_s(pid) : 0;
    struct counts counts = watch(lab, seconds);
    double per_s = counts.all / seconds;
    printf("  %-22s %6.2f commands/s, %.2f of them sent", what, per_s, counts.sent / seconds);
    key_figure(per_s, "%s_commands_per_s", key);
    if (pid) {
        double cpu_ms = (lab_cpu_s(pid) - cpu) * 1000 / seconds;
        printf("   %5.2f ms CPU/s   %" PRId64 " KiB resident", cpu_ms, lab_rss_kb(pid));
        key_figure(cpu_ms, "%s_cpu_ms_per_s", key);
    }
    printf("\n");
    print_counts(&counts, seconds);
}

static void measure_worker(struct lab *lab, const char *what, const char *key, const char *yaml,
                           double seconds)
{
    pid_t pid = lab_worker(lab, yaml);
    (void)usleep(SETTLE_S * 1000000);
    measure(lab, what, key, pid, seconds);
    lab_worker_stop(pid);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 60;
    struct lab lab;
    if (seconds < 1)
        lab_fail("usage: idle [SECONDS]");
    lab_open(&lab, NULL);
    printf("idle, over %.0f s each\n", seconds);
    measure(&lab, "no worker", "floor", 0, seconds);
    measure_worker(&lab, "1 queue", "q1", "", seconds);
    (void)lab_int(&lab, "ZADD schedule 9999999999 %s", "{\"class\":\"noop\",\"args\":[]}");
    measure_worker(&lab, "and a job scheduled", "scheduled", "", seconds);
    lab_flush(&lab);
    measure_worker(&lab, "16 queues", "q16",
                   "worker: {queues: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]}\n", seconds);
    lab_close(&lab);
    key_figures_print();
    return 0;
}
