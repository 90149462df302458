/*
 * drain: jobs per second from a backlog of no-op jobs, beside the floor.
 *
 * The floor is a client of our own that does the same store calls as the worker (a batch of acks
 * and a claim of 100 in one write, every job in Redis until acked) and nothing with the jobs: no
 * parsing, no handler, no hand-off. It runs with 1, 2 and 4 connections, one thread each; the best
 * of these medians is the floor. Worker and floor alternate, so that drift of the machine meets
 * both.
 *
 * Usage: drain [JOBS [RUNS]]
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "key_figures.h"
#include "lab.h"
#include "store/claim.h"
#include "store/lease.h"
#include "store/settle.h"

enum { BATCH = 100, CONNS_MAX = 4, RUNS_MAX = 50 };

/* ---- the floor ---- */

struct drainer {
    struct lab *lab;
    struct store *store;
    struct thread thread;
    int number;
    int64_t claimed;
};

static void *drain_main(void *arg)
{
    struct drainer *d = arg;
    struct redis_conn *conn = lab_connect(d->lab);
    struct settle_batch acks = {0};
    struct err err = {""};
    const char *queues[] = {"default"};
    uint64_t seq = (uint64_t)d->number * 1000000 + 1;
    unsigned held = 0;
    for (;;) {
        struct claim_request r = {.seq = seq + 1,
                                  .want = BATCH,
                                  .max_bytes = INT64_C(1) << 22,
                                  .max_payload = INT64_C(1) << 26,
                                  .queues = queues,
                                  .nqueues = 1};
        struct claimed claimed;
        int settled = 0;
        int8_t result[1];
        if (held > 0) {
            settle_begin(&acks, d->store, NULL, 1795478712);
            settle_ack_claim(&acks, seq, held);
        }
        if (store_claim(d->store, conn, &r, held > 0 ? &acks : NULL, &settled, result, &claimed,
                        &err) != 0 ||
            settled != 0 || (held > 0 && result[0] != SETTLE_WRITTEN))
            lab_fail("floor: %s", err.text);
        bool dry = claimed.queue < 0;
        seq++;
        held = claimed.n;
        d->claimed += claimed.n;
        reply_free(claimed.reply);
        if (dry)
            break;
    }
    settle_release(&acks);
    redis_conn_free(conn);
    return NULL;
}

static double run_floor(struct lab *lab, int jobs, int conns)
{
    struct drainer drainers[CONNS_MAX] = {0};
    struct store *store;
    struct lease_state lease;
    struct err err = {""};
    lab_flush(lab);
    lab_fill(lab, jobs);
    if (store_new("", "floor:1:0", &store) != 0 ||
        store_lease_renew(store, lab->conn, 600000, &lease, &err) != 0)
        lab_fail("floor: %s", err.text);
    double began = lab_now_s();
    int64_t total = 0;
    for (int i = 0; i < conns; i++) {
        drainers[i] = (struct drainer){.lab = lab, .store = store, .number = i};
        if (thread_start(&drainers[i].thread, "drainer", drain_main, &drainers[i]) != 0)
            lab_fail("no thread");
    }
    for (int i = 0; i < conns; i++) {
        thread_join(&drainers[i].thread);
        total += drainers[i].claimed;
    }
    double took = lab_now_s() - began;
    if (total != jobs || lab_int(lab, "GET stat:processed") != jobs)
        lab_fail("floor: %" PRId64 " of %d jobs", total, jobs);
    store_free(store);
    return jobs / took;
}

int main(int argc, char **argv)
{
    int jobs = argc > 1 ? atoi(argv[1]) : 300000;
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    static const int conns[] = {1, 2, 4};
    double floors[3][RUNS_MAX], rates[RUNS_MAX], cpu[RUNS_MAX];
    int64_t rss = 0;
    struct lab lab;
    if (jobs < 1 || runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: drain [JOBS [RUNS]]   (RUNS 1..%d)", RUNS_MAX);
    lab_open(&lab, NULL);
    for (int i = 0; i < runs; i++) {
        for (int c = 0; c < 3; c++)
            floors[c][i] = run_floor(&lab, jobs, conns[c]);
        struct lab_drain r = lab_drain(&lab, "", jobs, "noop");
        rates[i] = r.per_s;
        cpu[i] = r.cpu_us;
        rss = r.rss_kb > rss ? r.rss_kb : rss;
    }
    lab_close(&lab);

    double floor = 0;
    printf("drain of %d no-op jobs, medians of %d runs\n", jobs, runs);
    for (int c = 0; c < 3; c++) {
        double m = lab_median(floors[c], runs);
        floor = m > floor ? m : floor;
        printf("  floor, %d connection%s   %9.0f jobs/s\n", conns[c], conns[c] > 1 ? "s" : " ", m);
    }
    double rate = lab_median(rates, runs);
    printf("  worker, 100 threads     %9.0f jobs/s   %.2f us CPU a job, %" PRId64 " KiB resident\n",
           rate, lab_median(cpu, runs), rss);
    printf("  worker / best floor     %9.2f\n", rate / floor);
    key_figure(rate, "per_s");
    key_figure(floor, "floor_per_s");
    key_figure(rate / floor, "ratio");
    key_figure(lab_median(cpu, runs), "cpu_us");
    key_figure((double)rss, "rss_kib");
    key_figures_print();
    return 0;
}
