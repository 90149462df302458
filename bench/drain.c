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
#include "lab.h"
#include "store/claim.h"
#include "store/lease.h"
#include "store/settle.h"

enum { BATCH = 100, CONNS_MAX = 4, RUNS_MAX = 50 };

struct figure {
    double per_s[RUNS_MAX];
    double redis_us[RUNS_MAX]; /* of the server's processor time, per job */
};

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

static void run_floor(struct lab *lab, int jobs, int conns, struct figure *figure, int run)
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
    double cpu = lab_cpu_s(lab->server.pid), began = lab_now_s();
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
    figure->per_s[run] = jobs / (lab_now_s() - began);
    figure->redis_us[run] = (lab_cpu_s(lab->server.pid) - cpu) * 1e6 / jobs;
    if (total != jobs || lab_int(lab, "GET stat:processed") != jobs)
        lab_fail("floor: %" PRId64 " of %d jobs", total, jobs);
    store_free(store);
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
            run_floor(&lab, jobs, conns[c], &floors[c], i);
        struct lab_drain r = lab_drain(&lab, "", jobs, "noop");
        worker.per_s[i] = r.per_s;
        worker.redis_us[i] = r.redis_us;
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
    return 0;
}
