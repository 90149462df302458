/*
 * What the fault tests share: a server, the oracle, and some workers with a short lease.
 *
 * Each step fails the test, with the reason, when it cannot be done.
 */
#ifndef SLUICE_TESTS_FAULT_STAGE_H
#define SLUICE_TESTS_FAULT_STAGE_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "support/oracle.h"
#include "support/worker_process.h"

enum {
    WORKERS_MAX = 8,
    DRAIN_MS = SLOW * 60000, /* a bound against hanging */
    LEASE_S = 2,
    SWEEP_MS = 5000, /* the longest pause between two looks for dead workers … */
    TICK_MS = 1000,  /* … and what the ticker adds */
    CALM_MS = 6000,  /* without trouble, until a worker recovers others */
};

#define maybe_unused __attribute__((unused))

struct stage {
    struct redis_server server;
    struct redis_conn *redis; /* straight to the server */
    struct oracle oracle;
    struct worker_process worker[WORKERS_MAX];
};

/* One stage at a time: Check forks for each test. */
maybe_unused static void stage_open(struct stage *s, const struct redis_server_options *o)
{
    *s = (struct stage){0};
    must_start(&s->server, o);
    struct redis_options to = server_options(&s->server);
    s->redis = must_open(&to);
    oracle_init(&s->oracle, &s->server);
}

maybe_unused static void stage_close(struct stage *s)
{
    for (int i = 0; i < WORKERS_MAX; i++)
        worker_process_free(&s->worker[i]);
    oracle_release(&s->oracle);
    redis_conn_free(s->redis);
    redis_server_free(&s->server);
}

/* After the server has gone away; waits while it loads its data. */
maybe_unused static void stage_reconnect(struct stage *s)
{
    struct redis_options to = server_options(&s->server);
    redis_conn_free(s->redis);
    s->redis = NULL;
    wait_until(DRAIN_MS, redis_conn_open(&to, &s->redis, NULL) == 0);
}

/* How a worker differs from the usual. */
struct role {
    int threads;               /* 0: 10 */
    double lease_s;            /* 0: LEASE_S */
    double shutdown_timeout_s; /* 0: 30 */
    double socket_timeout_s;   /* 0: 5 */
    const char *handlers;      /* lines before the usual one, or NULL */
    const char *url;           /* NULL: the server's socket */
    const char *const *env;    /* more "NAME=value", NULL-terminated; NULL: none */
    const char *failpoint;     /* instead: where it dies, as worker/failpoint.h has it; or NULL */
};

maybe_unused static void stage_cast(struct stage *s, int i, struct role r)
{
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "worker: {threads: %d, queues: [default], lease: %g, shutdown_timeout: %g}\n"
                     "redis: {socket_timeout: %g}\n"
                     "metrics: {listen: \"off\"}\n"
                     "handlers:\n%s" TEST_HANDLER,
                     r.threads ? r.threads : 10, r.lease_s > 0 ? r.lease_s : LEASE_S,
                     r.shutdown_timeout_s > 0 ? r.shutdown_timeout_s : 30,
                     r.socket_timeout_s > 0 ? r.socket_timeout_s : 5, r.handlers ? r.handlers : "");
    ck_assert_int_lt(n, (int)sizeof text);
    char failpoint[64];
    (void)snprintf(failpoint, sizeof failpoint, "SLUICE_FAILPOINT=%s",
                   r.failpoint ? r.failpoint : "");
    const char *const env[] = {failpoint, NULL};
    struct worker_options o = {.settings = text, .url = r.url, .env = r.env};
    if (r.failpoint) {
        o.program = FAILPOINTS_PROGRAM;
        o.env = env;
    }
    worker_process_free(&s->worker[i]);
    worker_process_spawn(&s->worker[i], &s->server, &o);
}

maybe_unused static struct worker_process *stage_worker(struct stage *s, int i, struct role r)
{
    stage_cast(s, i, r);
    worker_process_wait_ready(&s->worker[i], "");
    return &s->worker[i];
}

maybe_unused static void must_stop(struct worker_process *w)
{
    ck_assert_int_eq(worker_process_stop(w), 0);
}

/* Each test is a case of its own, so that CK_RUN_CASE can name it. It runs `times` times, with _i
 * from 0. */
#define stage_add(suite, test, times)                                                              \
    do {                                                                                           \
        TCase *stage_case = tcase_create(#test);                                                   \
        tcase_set_timeout(stage_case, SLOW * 120);                                                 \
        tcase_add_loop_test(stage_case, test, 0, times);                                           \
        suite_add_tcase(suite, stage_case);                                                        \
    } while (0)

/* --- gates --------------------------------------------------------------------------------- */

/* Jobs wait at a gate until the test opens it. Valid until the next call. */
maybe_unused static const char *gated(struct stage *s, const char *gate, const char *more)
{
    static char args[256];
    (void)snprintf(args, sizeof args, "\"gate\":\"%s/%s\"%s", s->server.dir, gate, more);
    return args;
}

maybe_unused static void open_gate(struct stage *s, const char *gate)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", s->server.dir, gate);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
}

/* --- looking at Redis ---------------------------------------------------------------------- */

/* Keys that match a pattern, without the counters of deliveries, which live on for three days. */
maybe_unused static size_t count_keys(struct stage *s, const char *pattern)
{
    struct reply *keys = must_call(s->redis, "KEYS %s", pattern);
    size_t n = 0;
    for (size_t i = 0; i < reply_count(keys); i++)
        n += strncmp(reply_str(reply_at(keys, i)).p, "sluice:deliveries:", 18) != 0;
    reply_free(keys);
    return n;
}

/* Names what is left in the books, and fails, when there is anything. */
maybe_unused static void check_books_are_empty(struct stage *s)
{
    struct reply *keys = must_call(s->redis, "KEYS sluice:*");
    int left = 0;
    for (size_t i = 0; i < reply_count(keys); i++) {
        struct slice key = reply_str(reply_at(keys, i));
        if (strncmp(key.p, "sluice:deliveries:", 18) == 0)
            continue;
        (void)fprintf(stderr, "left in the books: %.*s\n", (int)key.n, key.p);
        left++;
    }
    reply_free(keys);
    ck_assert_int_eq(left, 0);
    ck_assert_int_eq(must_int(s->redis, "LLEN queue:default"), 0);
}

/* Jobs in claims of all workers, whether they run or wait. */
maybe_unused static size_t count_claimed(struct stage *s)
{
    struct reply *keys = must_call(s->redis, "KEYS sluice:claim:*");
    size_t n = 0;
    for (size_t i = 0; i < reply_count(keys); i++) {
        struct reply *jobs = must_call(s->redis, "LRANGE %s 0 -1", reply_str(reply_at(keys, i)).p);
        for (size_t j = 0; j < reply_count(jobs); j++)
            n += reply_str(reply_at(jobs, j)).p[0] == '{';
        reply_free(jobs);
    }
    reply_free(keys);
    return n;
}

/* No job waits, runs or is on trial any more. The oracle is content when every job has ended once;
 * one whose worker died before that was written may still be on its way to run again. */
maybe_unused static bool nothing_is_left(struct stage *s)
{
    return must_int(s->redis, "LLEN queue:default") == 0 && count_keys(s, "sluice:trial:*") == 0 &&
           count_claimed(s) == 0;
}

/* A field of INFO as a number. */
maybe_unused static int64_t info(struct stage *s, const char *section, const char *field)
{
    struct reply *text = must_call(s->redis, "INFO %s", section);
    const char *at = strstr(reply_str(text).p, field);
    ck_assert_msg(at != NULL, "INFO %s has no %s", section, field);
    int64_t n = strtoll(at + strlen(field) + 1, NULL, 10);
    reply_free(text);
    return n;
}

maybe_unused static int64_t stat_of(struct stage *s, const char *name)
{
    struct reply *r = must_call(s->redis, "GET %s", name);
    int64_t n = reply_int(r);
    reply_free(r);
    return n;
}

/* --- time ---------------------------------------------------------------------------------- */

maybe_unused static int64_t ms_since(int64_t ns)
{
    return (clock_now_ns() - ns) / NS_PER_MS;
}

/* The length of a fault, not a wait for something to happen. */
maybe_unused static void hold_ms(int64_t ms)
{
    struct timespec t = clock_timespec(ms * NS_PER_MS);
    (void)nanosleep(&t, NULL); /* about right will do */
}

/* A seed for this test, printed so that a failure can be repeated with FAULT_SEED. */
maybe_unused static unsigned seed(const char *title)
{
    const char *given = getenv("FAULT_SEED");
    unsigned n = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)random_below(1000000);
    (void)printf("%s: FAULT_SEED=%u\n", title, n);
    (void)fflush(stdout);
    return n;
}

#endif
