/*
 * spool: how fast requests to enqueue are taken while Redis is away, and what the spool costs when
 * it is there.
 *
 *   add      requests of one job that are on disk, by one thread and by as many as the API has.
 *            Floor: a bare loop that appends the same bytes to a file and calls fdatasync() each
 * time replay   the same requests on their way to Redis. Floor: as many scripts in pipelines as
 * long, without a file, a guard or an order to keep guard    enqueueing straight, one request after
 * another, with and without a guard
 *
 * Each and its floor alternate, on the disk of the folder that is given (default /tmp).
 *
 * Usage: spool [REQUESTS [RUNS [FOLDER]]]
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/spool.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "key_figures.h"
#include "lab.h"

enum { RUNS_MAX = 50, THREADS = 32, PIPELINE = STORE_ENQUEUE_MAX };

static const char payload[] =
    "{\"class\":\"noop\",\"args\":[12345,\"a text of some length\",{\"k\":[]}],"
    "\"jid\":\"0123456789abcdef01234567\",\"queue\":\"default\","
    "\"created_at\":1795478712.500000,\"enqueued_at\":1795478712.500000}";

struct setting {
    int requests;
    const char *parent; /* of folders and files of a run */
};

static void name_in(const struct setting *o, const char *name, char ret[512])
{
    (void)snprintf(ret, 512, "%s/bench-spool-%d%s", o->parent, (int)getpid(),
                   name); /* for people */
}

static struct job_batch new_batch(void)
{
    struct job_batch b = {.now = 1};
    if (job_batch_put(&b, "default", "", 0, (struct slice){payload, sizeof payload - 1}) != 0)
        lab_fail("no memory");
    return b;
}

/* ---- add ---- */

struct adders {
    struct spool *spool;
    atomic_int left;
};

static void *add_main(void *arg)
{
    struct adders *a = arg;
    struct job_batch b = new_batch();
    while (atomic_fetch_sub(&a->left, 1) > 0) {
        struct spool_request r = {.batch = &b, .why = "bench"}, *all[] = {&r};
        spool_add(a->spool, all, 1, CLOCK_NEVER);
        if (r.rc != 0)
            lab_fail("%s", r.err.text);
    }
    job_batch_release(&b);
    return NULL;
}

/* The folder stays, with all requests in it. */
static double run_add(const struct setting *o, const char *path, int threads)
{
    struct thread thread[THREADS];
    struct adders a = {.left = o->requests};
    struct spool_options options = {.path = path, .max_bytes = INT64_C(1) << 40};
    struct err err = {""};
    if (spool_open(&options, &a.spool, &err) != 0)
        lab_fail("%s", err.text);
    double began = lab_now_s();
    for (int i = 0; i < threads; i++)
        if (thread_start(&thread[i], "adder", add_main, &a) != 0)
            lab_fail("no thread");
    for (int i = 0; i < threads; i++)
        thread_join(&thread[i]);
    double took = lab_now_s() - began;
    spool_free(a.spool);
    return o->requests / took;
}

/* As many bytes as a record of the spool has. */
static double run_append(const struct setting *o, int appends)
{
    char path[512], bytes[sizeof payload + 100];
    memset(bytes, 'x', sizeof bytes);
    name_in(o, ".floor", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        lab_fail("%s: cannot be made", path);
    double began = lab_now_s();
    for (int i = 0; i < appends; i++)
        if (write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes || fdatasync(fd) != 0)
            lab_fail("%s: cannot be written", path);
    double took = lab_now_s() - began;
    (void)close(fd); /* of no use any more */
    (void)unlink(path);
    return appends / took;
}

/* ---- replay ---- */

static struct redis_pool *new_pool(struct lab *lab)
{
    struct redis_pool_options o = {.redis = {.path = lab->server.socket,
                                             .connect_timeout_ms = 5000,
                                             .socket_timeout_ms = 5000},
                                   .permits = 1,
                                   .max_connections = 1};
    struct redis_pool *pool = NULL;
    struct err err = {""};
    if (redis_pool_new(&o, &pool, &err) != 0)
        lab_fail("%s", err.text);
    return pool;
}

static double run_replay(struct lab *lab, const struct setting *o, const char *path)
{
    struct redis_pool *pool = new_pool(lab);
    struct spool *spool = NULL;
    struct spool_stats stats;
    struct err err = {""};
    struct spool_options options = {
        .path = path, .max_bytes = INT64_C(1) << 40, .store = lab->store, .pool = pool};
    if (spool_open(&options, &spool, &err) != 0)
        lab_fail("%s", err.text);
    double began = lab_now_s();
    if (spool_start(spool) != 0)
        lab_fail("no thread");
    do {
        (void)usleep(1000);
        spool_stats(spool, &stats);
    } while (stats.bytes > 0);
    double took = lab_now_s() - began;
    redis_pool_stop(pool);
    spool_free(spool);
    redis_pool_free(pool);
    if (lab_int(lab, "LLEN queue:default") != o->requests)
        lab_fail("not every job is there");
    return o->requests / took;
}

/* Straight, `width` requests in a pipeline. *ret_cpu_us: of Redis, for each. */
static double run_straight(struct lab *lab, int requests, int width, bool guarded,
                           double *ret_cpu_us)
{
    struct enqueue each[PIPELINE], *all[PIPELINE];
    struct redis_conn *c = lab_connect(lab);
    struct job_batch b = new_batch();
    double began = lab_now_s(), cpu_s = lab_cpu_s(lab->server.pid);
    for (int done = 0; done < requests; done += width) {
        for (int i = 0; i < width; i++) {
            each[i] = (struct enqueue){.batch = &b};
            if (guarded)
                each[i].guard = (struct enqueue_guard){.name = "bench:0", .number = done + 1};
            all[i] = &each[i];
        }
        store_enqueue_all(lab->store, c, all, width);
        for (int i = 0; i < width; i++)
            if (each[i].rc != 0 || each[i].stopped)
                lab_fail("%s", each[i].err.text);
    }
    double took = lab_now_s() - began;
    *ret_cpu_us = (lab_cpu_s(lab->server.pid) - cpu_s) * 1e6 / requests;
    job_batch_release(&b);
    redis_conn_free(c);
    return requests / took;
}

/* ---- the table ---- */

/* key: of the figures' names. */
static void print(const char *name, const char *key, double *ours, const char *floor_name,
                  double *floor, int runs)
{
    double a = lab_median(ours, runs), b = lab_median(floor, runs);
    (void)printf("%-22s %9.0f/s   %s %9.0f/s   ratio %.2f\n", name, a, floor_name, b, a / b);
    key_figure(a, "%s_per_s", key);
    key_figure(b, "%s_floor_per_s", key);
}

int main(int argc, char **argv)
{
    struct setting o = {.requests = argc > 1 ? atoi(argv[1]) : 20000,
                        .parent = argc > 3 ? argv[3] : "/tmp"};
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    double add1[RUNS_MAX], addn[RUNS_MAX], append[RUNS_MAX], replay[RUNS_MAX], piped[RUNS_MAX],
        guarded[RUNS_MAX], bare[RUNS_MAX], cpu[3][RUNS_MAX];
    struct setting few = o;
    struct lab lab;
    char path[512];
    if (o.requests < 1000 || runs < 1 || runs > RUNS_MAX)
        lab_fail(
            "usage: spool [REQUESTS [RUNS [FOLDER]]], at least 1000 requests, at most 50 runs");
    log_setup(LOG_ERROR, LOG_LOGFMT);
    few.requests = o.requests / 10; /* alone each waits for the disk */
    name_in(&o, "", path);
    lab_open(&lab, NULL);
    for (int i = 0; i < runs; i++) {
        add1[i] = run_add(&few, path, 1);
        append[i] = run_append(&o, few.requests);
        lab_flush(&lab);
        (void)run_replay(&lab, &few, path);
        addn[i] = run_add(&o, path, THREADS);
        lab_flush(&lab);
        replay[i] = run_replay(&lab, &o, path);
        lab_flush(&lab);
        piped[i] = run_straight(&lab, o.requests, PIPELINE, false, &cpu[2][i]);
        guarded[i] = run_straight(&lab, o.requests, 1, true, &cpu[0][i]);
        bare[i] = run_straight(&lab, o.requests, 1, false, &cpu[1][i]);
    }
    print("add, 1 thread", "add1", add1, "append + fdatasync", append, runs);
    print("add, 32 threads", "add32", addn, "append + fdatasync", append, runs);
    print("replay", "replay", replay, "pipelines of 64   ", piped, runs);
    print("enqueue with a guard", "guard", guarded, "without           ", bare, runs);
    (void)printf("Redis' processor time, us a request: %.1f with a guard, %.1f without\n",
                 lab_median(cpu[0], runs), lab_median(cpu[1], runs));
    lab_close(&lab);
    static const char *const left[] = {"/lock", "/position", ""};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        name_in(&o, left[i], path);
        (void)remove(path); /* the folder last */
    }
    key_figures_print();
    return EXIT_SUCCESS;
}
