/*
 * memory: whether a worker of 100 threads stays as small as it began, over minutes of no-op jobs
 * one after the other without a pause.
 *
 * A queue is kept full; resident memory is looked at at equal intervals. The first quarter of them
 * is its start; "grown" is how far the middle of the last quarter lies above that of the second.
 * Every job has to have been run once at the end.
 *
 * Usage: memory [MINUTES]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "key_figures.h"
#include "lab.h"
#include "support/proc.h"

enum { SAMPLES = 24, QUARTER = SAMPLES / 4, LOW = 100000, FILL = 100000, PAUSE_US = 5000 };

static int64_t pushed;

static void keep_full(struct lab *lab, double until_s)
{
    while (lab_now_s() < until_s) {
        if (lab_int(lab, "LLEN queue:default") < LOW) {
            lab_fill(lab, FILL);
            pushed += FILL;
        } else {
            (void)usleep(PAUSE_US);
        }
    }
}

int main(int argc, char **argv)
{
    double minutes = argc > 1 ? atof(argv[1]) : 3;
    double rss_kib[SAMPLES];
    struct lab lab;
    if (minutes < 0.1)
        lab_fail("usage: memory [MINUTES]   (MINUTES from 0.1)");
    lab_open(&lab, NULL);
    pid_t pid = lab_worker(&lab, "");
    int64_t empty_kib = lab_rss_kb(pid);
    double began = lab_now_s();
    for (int i = 0; i < SAMPLES; i++) {
        keep_full(&lab, began + minutes * 60 * (i + 1) / SAMPLES);
        rss_kib[i] = (double)lab_rss_kb(pid);
    }
    int64_t peak_kib = proc_peak_kb(pid);
    lab_worker_stop(pid);
    int64_t done = lab_int(&lab, "GET stat:processed"), left = lab_int(&lab, "LLEN queue:default");
    if (done + left != pushed)
        lab_fail("%" PRId64 " jobs were pushed, %" PRId64 " were run, %" PRId64 " are left", pushed,
                 done, left);
    lab_close(&lab);

    printf("resident memory of a worker of 100 threads, %g min, %" PRId64 " no-op jobs, KiB\n",
           minutes, done);
    printf("  %-8s %6" PRId64 "\n  %-8s", "empty", empty_kib, "at work");
    for (int i = 0; i < SAMPLES; i++)
        printf(" %6.0f%s", rss_kib[i],
               i % QUARTER == QUARTER - 1 && i < SAMPLES - 1 ? "\n          " : "");
    double second = lab_median(rss_kib + QUARTER, QUARTER);
    double last = lab_median(rss_kib + SAMPLES - QUARTER, QUARTER);
    double grown = (last / second - 1) * 100;
    printf("\n  %-8s %6" PRId64 "\n  %-8s %6.1f %%\n", "peak", peak_kib, "grown", grown);
    key_figure((double)peak_kib * 1024 / 1e6, "peak_mb");
    key_figure(grown, "grown_percent");
    key_figure(minutes, "minutes");
    key_figure((double)done, "jobs");
    key_figures_print();
    return 0;
}
