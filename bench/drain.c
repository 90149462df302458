/*
 * drain: jobs per second from a backlog of no-op jobs, beside the floor.
 *
 * The floor (floor.h) runs with 1, 2 and 4 connections, one thread each; the best of these medians
 * is the floor. Worker and floor alternate, so that drift of the machine meets both.
 *
 * Usage: drain [JOBS [RUNS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "floor.h"
#include "key_figures.h"
#include "lab.h"

enum { RUNS_MAX = 50 };

struct figure {
    double per_s[RUNS_MAX];
    double redis_us[RUNS_MAX]; /* of the server's processor time, per job */
};

static void note(struct figure *f, int run, struct lab_drain r)
{
    f->per_s[run] = r.per_s;
    f->redis_us[run] = r.redis_us;
}

static struct lab_drain run_floor(struct lab *lab, int jobs, int conns)
{
    static const char *const queues[] = {"default"};
    struct floor_load load = {
        .replicas = 1, .conns = conns, .queues = queues, .nqueues = 1, .jobs = jobs};
    lab_flush(lab);
    lab_fill(lab, jobs);
    return floor_drain(lab, &load);
}

int main(int argc, char **argv)
{
    int jobs = argc > 1 ? atoi(argv[1]) : 300000;
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    enum { FLOORS = 3 };
    static const int conns[FLOORS] = {1, 2, 4};
    static struct figure floors[FLOORS], worker;
    double cpu[RUNS_MAX];
    int64_t rss = 0;
    struct lab lab;
    if (jobs < 1 || runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: drain [JOBS [RUNS]]   (RUNS 1..%d)", RUNS_MAX);
    lab_open(&lab, NULL);
    for (int i = 0; i < runs; i++) {
        for (int c = 0; c < FLOORS; c++)
            note(&floors[c], i, run_floor(&lab, jobs, conns[c]));
        struct lab_drain r = lab_drain(&lab, "", jobs, "noop");
        note(&worker, i, r);
        cpu[i] = r.cpu_us;
        rss = r.rss_kb > rss ? r.rss_kb : rss;
    }
    lab_close(&lab);

    double floor = 0;
    printf("drain of %d no-op jobs, medians of %d runs\n", jobs, runs);
    for (int c = 0; c < FLOORS; c++) {
        double m = lab_median(floors[c].per_s, runs);
        floor = m > floor ? m : floor;
        printf("  floor, %d connection%s   %9.0f jobs/s   %.2f us of Redis a job\n", conns[c],
               conns[c] > 1 ? "s" : " ", m, lab_median(floors[c].redis_us, runs));
    }
    double rate = lab_median(worker.per_s, runs);
    printf("  worker, 100 threads     %9.0f jobs/s   %.2f us of Redis and %.2f of its own a job, "
           "%" PRId64 " KiB resident\n",
           rate, lab_median(worker.redis_us, runs), lab_median(cpu, runs), rss);
    printf("  worker / best floor     %9.2f\n", rate / floor);
    key_figure(rate, "per_s");
    key_figure(floor, "floor_per_s");
    key_figure(rate / floor, "ratio");
    key_figure(lab_median(cpu, runs), "cpu_us");
    key_figure((double)rss, "rss_kib");
    key_figures_print();
    return 0;
}
