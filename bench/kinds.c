/*
 * kinds: what jobs of each kind cost one worker and its Redis, in processor time, and what they
 * take of Redis' memory while they wait and after they were done. A plain job is what the others
 * stand beside. What one Redis can carry follows from it (docs/SCALING.md).
 *
 *   plain       a no-op
 *   tracked     a no-op whose state is recorded
 *   streaming   a job with ten events of some 60 bytes
 *   failing     a job that fails and goes to retry. What its next try costs is a scheduled job's
 *   scheduled   a no-op that came due in the schedule
 *
 * Usage: kinds [JOBS [RUNS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backlog.h"
#include "base/clock.h"
#include "fleet.h"
#include "key_figures.h"
#include "lab.h"

enum { RUNS_MAX = 50, PUSHED_A_S = 20000 };

struct kind {
    const char *name;
    struct backlog backlog;
    const char *left; /* the set in which all of it is left; NULL: nothing is */
    bool scheduled;
};

static const struct kind kinds[] = {
    {.name = "plain", .backlog = {.queue = "default", .klass = "noop"}},
    {.name = "tracked",
     .backlog = {.queue = "default", .klass = "noop", .fields = "\"track\":true,"}},
    {.name = "streaming", .backlog = {.queue = "default", .klass = "emit", .args = "10"}},
    {.name = "failing", .backlog = {.queue = "default", .klass = "of-no-handler"}, .left = "retry"},
    {.name = "scheduled", .backlog = {.queue = "default", .klass = "noop"}, .scheduled = true},
};

enum { NKINDS = sizeof kinds / sizeof *kinds };

struct figures {
    double cpu_us[RUNS_MAX], redis_us[RUNS_MAX], waiting[RUNS_MAX], after[RUNS_MAX];
};

static int64_t memory(struct lab *lab)
{
    return lab_int(lab, "EVAL %s 0",
                   "return tonumber(string.match(redis.call('INFO', 'memory'), "
                   "'used_memory:(%d+)'))");
}

static void run(struct lab *lab, const struct kind *k, int jobs, struct figures *f, int i)
{
    struct fleet fleet;
    char yaml[256];
    (void)snprintf(yaml, sizeof yaml, "  - {class: emit, plugin: %s/bench/emitter.so}\n",
                   BENCH_BUILD_DIR);
    lab_flush(lab);
    fleet_start(&fleet, lab, 1, yaml);
    fleet_go(&fleet);
    backlog_push(lab, &k->backlog, 10); /* warm: its scripts are there */
    (void)fleet_wait_processed(&fleet, 10);
    fleet_hold(&fleet);
    int64_t before = memory(lab);
    if (k->scheduled)
        backlog_schedule(lab, &k->backlog, jobs, 1 + (double)jobs / PUSHED_A_S);
    else
        backlog_push(lab, &k->backlog, jobs);
    f->waiting[i] = (double)(memory(lab) - before) / jobs;
    struct lab_watch watch = lab_watch(lab, fleet.pids, fleet.n);
    fleet_go(&fleet);
    (void)fleet_wait_processed(&fleet, 10 + jobs);
    struct lab_drain r = lab_watched(lab, &watch, fleet.pids, fleet.n, jobs);
    f->cpu_us[i] = r.cpu_us;
    f->redis_us[i] = r.redis_us;
    f->after[i] = (double)(memory(lab) - before) / jobs;
    fleet_stop(&fleet);
    if (k->left && lab_int(lab, "ZCARD %s", k->left) != 10 + jobs)
        lab_fail("%s: not every job is where it should be", k->name);
    if (!k->left && lab_int(lab, "EXISTS retry dead") != 0)
        lab_fail("%s: a job failed", k->name);
}

int main(int argc, char **argv)
{
    static struct figures figures[NKINDS];
    int jobs = argc > 1 ? atoi(argv[1]) : 50000;
    int runs = argc > 2 ? atoi(argv[2]) : 3;
    struct lab lab;
    if (jobs < 100 || runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: kinds [JOBS [RUNS]]   (JOBS from 100, RUNS 1..%d)", RUNS_MAX);
    lab_open(&lab, NULL);
    for (int i = 0; i < runs; i++)
        for (int k = 0; k < NKINDS; k++)
            run(&lab, &kinds[k], jobs, &figures[k], i);
    lab_close(&lab);
    printf("kinds of jobs, %d of each, medians of %d runs\n"
           "               Redis us   worker us   bytes waiting   bytes after\n",
           jobs, runs);
    for (int k = 0; k < NKINDS; k++) {
        struct figures *f = &figures[k];
        double after = lab_median(f->after, runs), redis_us = lab_median(f->redis_us, runs);
        double cpu_us = lab_median(f->cpu_us, runs);
        printf("  %-10s   %8.2f   %9.2f   %13.0f   %11.0f\n", kinds[k].name, redis_us, cpu_us,
               lab_median(f->waiting, runs), after > 0 ? after : 0);
        key_figure(redis_us, "%s_redis_us", kinds[k].name);
        key_figure(cpu_us, "%s_worker_us", kinds[k].name);
    }
    key_figures_print();
    return 0;
}
