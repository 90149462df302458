/*
 * The founding claim: any number of concurrent operations pass through the gate without an error,
 * within the bound, and at the speed of the best fixed-size run.
 *
 * 16 runs of 472 operations want Redis at once: 7,552 threads, each with one operation under way
 * at any time. They go
 *   gated     through the gate, 100 permits in a pool of 120, as a worker's do: who finds no permit
 *             rides on the connection of somebody who has one;
 *   by hand   the same, but each takes a connection, uses it and gives it back, as those do who
 *             need one for more than a command;
 *   ungated   each on a connection of its own, as the program did that Sluice was born from;
 *   fixed N   N threads and N connections share the same operations, nobody waits: the best of
 *             these is what the server and the machine can do.
 * The server has maxclients 128 and is watched from a connection of its own.
 *
 * usage: bench-gate [operations per thread, default 20]
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "key_figures.h"
#include "redis/pool.h"
#include "support/redis_server.h"
#include "watch.h"

enum { RUNS = 16, OPS_PER_RUN = 472, CONCURRENT = RUNS * OPS_PER_RUN };
enum { PERMITS = 100, RESERVED = 20, CONNECTIONS = PERMITS + RESERVED, MAX_CLIENTS = 128 };
enum { STACK_BYTES = 128 * 1024, TIMEOUT_MS = 30000 };

static const char event[] =
    "{\"type\":\"response.output_text.delta\",\"sequence_number\":1234,\"item_id\":\"msg_0123456789"
    "abcdef0123456789abcdef\",\"output_index\":0,\"content_index\":0,\"delta\":\" concurrency\"}";

enum kind { GATED, BY_HAND, UNGATED };

struct run {
    const char *name;
    enum kind kind;
    int threads, permits, connections;
    int per_thread;

    struct redis_options redis;
    struct worker *worker;
    struct redis_pool *pool; /* unless ungated */
    pthread_barrier_t start; /* when ungated: all at once */
    int end[2];      /* a pipe: threads end after the measurement, which is dear in itself */
    atomic_int left; /* threads that are still at work */
    int64_t done_ns; /* when the last of them was done */
    atomic_int errors;
    struct err first_error; /* of whoever set `errors` from 0 */
    int64_t *op_ns;         /* of each operation, from asking for it to its reply; 0: not done */

    /* Results. */
    int peak_clients;
    double per_second;
    double op_p50_ms, op_p99_ms;
    double cpu_us, switches; /* of this process, per operation that was done */
};

struct worker {
    struct run *run;
    int index;
    pthread_t thread;
};

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "gate: %s: %s\n", what, why);
    exit(1);
}

static void count_errors(struct run *run, int n, const struct err *err)
{
    if (atomic_fetch_add(&run->errors, n) == 0)
        run->first_error = *err;
}

static void put_event(const struct worker *w, struct command *cmd)
{
    command_text(cmd, "RPUSH");
    command_printf(cmd, "stream:%d", w->index % RUNS);
    command_text(cmd, event);
}

static int append_by_hand(struct redis_pool *pool, const struct command *cmd, struct err *err)
{
    struct redis_conn *c = NULL;
    int rc = redis_pool_take(pool, clock_deadline_ms(TIMEOUT_MS), &c, err);
    if (rc != 0)
        return rc;
    rc = redis_call(c, cmd, NULL, err);
    redis_pool_give(pool, c);
    return rc;
}

static int append_ungated(struct run *run, struct redis_conn **c, const struct command *cmd,
                          struct err *err)
{
    int rc = *c ? 0 : redis_conn_open(&run->redis, c, err);
    return rc != 0 ? rc : redis_call(*c, cmd, NULL, err);
}

/* All it has to do; without a gate it gives up when it gets no connection. */
static void work(struct worker *w)
{
    struct run *run = w->run;
    struct redis_conn *own = NULL;
    struct command cmd = {0};
    put_event(w, &cmd);
    for (int i = 0; i < run->per_thread; i++) {
        struct err err = {""};
        int64_t asked_ns = clock_now_ns();
        int rc = run->kind == GATED     ? redis_pool_call(run->pool, clock_deadline_ms(TIMEOUT_MS),
                                                          &cmd, 1, NULL, &err)
                 : run->kind == BY_HAND ? append_by_hand(run->pool, &cmd, &err)
                                        : append_ungated(run, &own, &cmd, &err);
        if (rc == 0)
            run->op_ns[w->index * run->per_thread + i] = clock_now_ns() - asked_ns;
        else
            count_errors(run, own || run->pool ? 1 : run->per_thread - i, &err);
        if (rc != 0 && !own && !run->pool)
            break;
    }
    command_release(&cmd);
    redis_conn_free(own);
}

/* A thread that has been at work before: its stack is mapped, and malloc has something at hand for
 * it. */
static void warm_up(void)
{
    enum { SMALL = 1024, AT_HAND = 4 };
    volatile char stack[STACK_BYTES / 4];
    for (size_t i = 0; i < sizeof stack; i += 1024)
        stack[i] = 0;
    for (size_t size = 16; size <= SMALL; size += 16) {
        void *block[AT_HAND];
        for (int i = 0; i < AT_HAND; i++)
            block[i] = malloc(size);
        for (int i = 0; i < AT_HAND; i++)
            free(block[i]);
    }
}

/* In a read and not in a futex, whose table thousands would crowd. */
static void wait_for_end(const struct run *run)
{
    char none;
    while (read(run->end[0], &none, 1) > 0)
        ;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct run *run = w->run;
    warm_up();
    if (run->kind == UNGATED)
        (void)pthread_barrier_wait(&run->start);
    work(w); /* with a gate main holds every permit until all are waiting */
    if (atomic_fetch_sub(&run->left, 1) == 1)
        run->done_ns = clock_now_ns();
    wait_for_end(run);
    return NULL;
}

/* --- one run ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void start_workers(struct run *run)
{
    struct worker *worker = run->worker;
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0 || pthread_attr_setstacksize(&attr, STACK_BYTES) != 0)
        die("threads", "no attributes");
    for (int i = 0; i < run->threads; i++) {
        worker[i] = (struct worker){.run = run, .index = i};
        int rc = pthread_create(&worker[i].thread, &attr, worker_main, &worker[i]);
        if (rc != 0)
            die("cannot start that many threads", strerror(rc));
    }
    (void)pthread_attr_destroy(&attr);
}

/* Lets all threads come to the closed gate, then opens it. Returns the time of that. */
static int64_t open_gate(struct run *run)
{
    struct redis_conn *held[PERMITS];
    struct err err = {""};
    for (int i = 0; i < run->permits; i++)
        if (redis_pool_take(run->pool, clock_deadline_ms(TIMEOUT_MS), &held[i], &err) != 0)
            die(run->name, err.text);
    start_workers(run);
    struct redis_pool_stats stats;
    do {
        (void)usleep(10000);
        redis_pool_stats(run->pool, &stats);
    } while (stats.permits_waiting < run->threads);
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < run->permits; i++)
        redis_pool_give(run->pool, held[i]);
    return start_ns;
}

static int64_t start_at_once(struct run *run)
{
    start_workers(run);
    (void)pthread_barrier_wait(&run->start);
    return clock_now_ns();
}

/* What the process has used so far. */
struct use {
    double cpu_us;
    long switches;
};

static struct use use_now(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        die("getrusage", strerror(errno));
    return (struct use){
        .cpu_us = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
                  (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec),
        .switches = u.ru_nvcsw + u.ru_nivcsw,
    };
}

static void measure(struct run *run)
{
    struct err err = {""};
    size_t total = (size_t)run->threads * (size_t)run->per_thread;
    run->worker = calloc((size_t)run->threads, sizeof *run->worker);
    run->op_ns = calloc(total, sizeof *run->op_ns);
    if (!run->worker || !run->op_ns)
        die(run->name, "no memory");
    struct redis_pool_options o = {.redis = run->redis,
                                   .permits = run->permits,
                                   .max_connections = run->connections,
                                   .reserved = run->connections - run->permits};
    if (run->kind != UNGATED && redis_pool_new(&o, &run->pool, &err) != 0)
        die(run->name, err.text);
    if (pthread_barrier_init(&run->start, NULL, (unsigned)run->threads + 1) != 0 ||
        pipe(run->end) != 0)
        die(run->name, "no barrier");
    atomic_store(&run->left, run->threads);
    struct watch watch;
    if (watch_start(&watch, &run->redis, &err) != 0)
        die("watch", err.text);
    int64_t start_ns = run->kind == UNGATED ? start_at_once(run) : open_gate(run);
    struct use before = use_now();
    while (atomic_load(&run->left) > 0) /* the ends of the threads are not counted */
        (void)usleep(1000);
    struct use after = use_now();
    (void)close(run->end[1]);
    int64_t elapsed_ns = run->done_ns - start_ns;
    run->peak_clients = watch_end(&watch);
    size_t done = total - (size_t)atomic_load(&run->errors);
    run->per_second = (double)done * 1e9 / (double)elapsed_ns;
    run->cpu_us = (after.cpu_us - before.cpu_us) / (double)done;
    run->switches = (double)(after.switches - before.switches) / (double)done;
    for (int i = 0; i < run->threads; i++)
        (void)pthread_join(run->worker[i].thread, NULL);
    qsort(run->op_ns, total, sizeof *run->op_ns, by_value);
    const int64_t *op_ns = run->op_ns + total - done; /* what was not done comes first */
    run->op_p50_ms = done > 0 ? (double)op_ns[done / 2] / 1e6 : 0;
    run->op_p99_ms = done > 0 ? (double)op_ns[done * 99 / 100] / 1e6 : 0;

    (void)pthread_barrier_destroy(&run->start);
    (void)close(run->end[0]);
    redis_pool_free(run->pool);
    free(run->op_ns);
    free(run->worker);
}

static void print(const struct run *run)
{
    (void)printf("%-10s %8d %8d %8d %8d %10.0f %10.2f %10.2f %8.1f %8.2f\n", run->name,
                 run->threads, run->threads * run->per_thread, atomic_load(&run->errors),
                 run->peak_clients, run->per_second, run->op_p50_ms, run->op_p99_ms, run->cpu_us,
                 run->switches);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    int per_thread = argc > 1 ? atoi(argv[1]) : 20;
    if (per_thread < 1)
        die("usage", "bench-gate [operations per thread]");
    (void)signal(SIGPIPE, SIG_IGN);
    thread_expect(CONCURRENT);

    char limit[16];
    (void)snprintf(limit, sizeof limit, "%d", MAX_CLIENTS);
    struct redis_server server;
    struct err err = {""};
    if (redis_server_start(
            &server,
            &(struct redis_server_options){
                .tcp = true, .extra = (const char *const[]){"--maxclients", limit, NULL}},
            &err) != 0)
        die("redis", err.text);
    struct redis_options redis = {.host = "127.0.0.1",
                                  .port = server.port,
                                  .connect_timeout_ms = TIMEOUT_MS,
                                  .socket_timeout_ms = TIMEOUT_MS};

    struct run runs[] = {
        {.name = "gated", .kind = GATED, .threads = CONCURRENT, .permits = PERMITS},
        {.name = "by hand", .kind = BY_HAND, .threads = CONCURRENT, .permits = PERMITS},
        {.name = "ungated", .kind = UNGATED, .threads = CONCURRENT},
        {.name = "fixed 16", .kind = GATED, .threads = 16, .permits = 16},
        {.name = "fixed 50", .kind = GATED, .threads = 50, .permits = 50},
        {.name = "fixed 100", .kind = GATED, .threads = 100, .permits = 100},
    };
    enum { COUNT = sizeof runs / sizeof runs[0], THE_UNGATED = 2, FIRST_FIXED };
    for (int i = 0; i < COUNT; i++)
        runs[i].connections = runs[i].permits + (runs[i].threads == CONCURRENT ? RESERVED : 0);

    (void)printf("%d concurrent operations (%d runs of %d), RPUSH of %zu bytes, maxclients %d\n\n"
                 "%-10s %8s %8s %8s %8s %10s %10s %10s %8s %8s\n"
                 "%-10s %8s %8s %8s %8s %10s %10s %10s %8s %8s\n",
                 CONCURRENT, RUNS, OPS_PER_RUN, sizeof event - 1, MAX_CLIENTS, "", "", "", "",
                 "peak", "", "each p50", "each p99", "CPU", "switches", "run", "threads", "asked",
                 "errors", "clients", "done/s", "ms", "ms", "us/op", "per op");
    double best = 0;
    for (int i = 0; i < COUNT; i++) {
        runs[i].redis = redis;
        runs[i].per_thread = CONCURRENT * per_thread / runs[i].threads;
        measure(&runs[i]);
        print(&runs[i]);
        if (i >= FIRST_FIXED && runs[i].per_second > best)
            best = runs[i].per_second;
    }
    redis_server_free(&server);

    int ungated_errors = atomic_load(&runs[THE_UNGATED].errors);
    (void)printf("\ngated: %.2f of the best fixed-size run; by hand: %.2f\n",
                 runs[0].per_second / best, runs[1].per_second / best);
    if (ungated_errors > 0)
        (void)printf("ungated: %.0f %% failed, first with: %s\n",
                     100.0 * ungated_errors / (CONCURRENT * per_thread),
                     runs[THE_UNGATED].first_error.text);
    int errors = atomic_load(&runs[0].errors) + atomic_load(&runs[1].errors);
    bool kept =
        errors == 0 && runs[0].peak_clients <= CONNECTIONS && runs[1].peak_clients <= CONNECTIONS;
    (void)printf("promise (no errors, at most %d clients): %s\n", CONNECTIONS,
                 kept ? "kept" : "BROKEN");
    for (int i = 0; i < THE_UNGATED; i++)
        if (atomic_load(&runs[i].errors) > 0)
            (void)printf("first error, %s: %s\n", runs[i].name, runs[i].first_error.text);
    key_figure(atomic_load(&runs[0].errors), "errors");
    key_figure(runs[0].peak_clients, "peak_clients");
    key_figure(runs[0].per_second, "per_s");
    key_figure(runs[1].per_second / best, "by_hand_ratio");
    key_figure(best, "best_per_s");
    key_figure(runs[0].per_second / best, "ratio");
    key_figures_print();
    return kept ? 0 : 1;
}
