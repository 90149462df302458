/*
 * idle: what a worker with nothing to do costs: Redis commands and CPU time per second, resident
 * memory. Beside it the floor: the same server with no worker.
 *
 * Usage: idle [SECONDS]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_figures.h"
#include "lab.h"

/* Counts our own question too, once per call. */
static int64_t commands(struct lab *lab)
{
    struct reply *reply = NULL;
    struct err err = {""};
    if (redis_callf(lab->conn, &reply, &err, "INFO stats") != 0)
        lab_fail("INFO: %s", err.text);
    static const char name[] = "total_commands_processed:";
    struct slice text = reply_str(reply);
    const char *at = memmem(text.p, text.n, name, sizeof name - 1);
    int64_t n = at ? strtoll(at + sizeof name - 1, NULL, 10) : -1;
    reply_free(reply);
    return n;
}

/* key: of the figures' names. */
static void measure(struct lab *lab, const char *what, const char *key, pid_t pid, double seconds)
{
    double cpu = pid ? lab_cpu_s(pid) : 0;
    int64_t before = commands(lab);
    (void)usleep((useconds_t)(seconds * 1e6));
    double per_s = (double)(commands(lab) - 1 - before) / seconds;
    printf("  %-22s %6.2f commands/s", what, per_s);
    key_figure(per_s, "%s_commands_per_s", key);
    if (pid) {
        double cpu_ms = (lab_cpu_s(pid) - cpu) * 1000 / seconds;
        printf("   %5.2f ms CPU/s   %" PRId64 " KiB resident", cpu_ms, lab_rss_kb(pid));
        key_figure(cpu_ms, "%s_cpu_ms_per_s", key);
    }
    printf("\n");
}

static void measure_worker(struct lab *lab, const char *what, const char *key, const char *yaml,
                           double seconds)
{
    lab_flush(lab);
    pid_t pid = lab_worker(lab, yaml);
    (void)usleep(2000000); /* past its start */
    measure(lab, what, key, pid, seconds);
    lab_worker_stop(pid);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 30;
    struct lab lab;
    if (seconds < 1)
        lab_fail("usage: idle [SECONDS]");
    lab_open(&lab, NULL);
    printf("idle, over %.0f s each\n", seconds);
    measure(&lab, "no worker", "floor", 0, seconds);
    measure_worker(&lab, "1 queue", "q1", "", seconds);
    measure_worker(&lab, "16 queues", "q16",
                   "worker: {queues: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]}\n", seconds);
    lab_close(&lab);
    key_figures_print();
    return 0;
}
