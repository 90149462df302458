#include "worker/beacon.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"

enum { LOOK_MS = 1000, BEAT_MS = 5000, IDLE_BEAT_MS = 10000, TAKE_MS = 2000 };
enum { REPEATS = 5 }; /* and then a whole one: once in a minute */

/* Follows the settings: the constant part, and the names in `queues`. */
static int follow_conf(struct beacon *b, struct redis_conn *conn, struct conf *conf,
                       struct err *err)
{
    const char **names = calloc((size_t)conf->nqueues, sizeof *names);
    int *weights = calloc((size_t)conf->nqueues, sizeof *weights);
    int rc = names && weights ? 0 : -ENOMEM;
    for (int i = 0; rc == 0 && i < conf->nqueues; i++) {
        names[i] = conf->queues[i].name;
        weights[i] = conf->queues[i].weight;
    }
    if (rc == 0)
        rc = store_register_queues(b->store, conn, names, conf->nqueues, err);
    if (rc == -EMEDIUMTYPE) {
        log_error("the key `queues` is no set: dashboards will not see our queues");
        rc = 0;
    }
    if (rc == 0) {
        buf_clear(&b->info);
        presence_info(&b->info, store_identity(b->store), b->started_at, b->threads, names, weights,
                      conf->nqueues);
        rc = buf_error(&b->info);
    }
    free(names);
    free(weights);
    return rc;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Read before the report takes a permit of its own, or an idle worker would show one in use. What a
 * report that fails has not told goes into the next. */
static void read_gauges(struct beacon *b, struct tally_sums *ret_sums, struct gauges *ret)
{
    struct redis_pool_stats s;
    int permits, connections;
    redis_pool_stats(b->pool, &s);
    redis_pool_recent_peaks(b->pool, &permits, &connections);
    tally_sum(b->tally, ret_sums);
    b->permits_peak = larger(b->permits_peak, permits);
    b->connections_peak = larger(b->connections_peak, connections);
    *ret = (struct gauges){
        .known = true,
        .permits = {.limit = s.permits_limit,
                    .in_use = s.permits_in_use,
                    .waiting = s.permits_waiting,
                    .peak = b->permits_peak},
        .connections = {.limit = s.connections_limit,
                        .open = s.connections_open,
                        .in_use = s.connections_in_use,
                        .peak = b->connections_peak},
        .processed = (int64_t)ret_sums->processed,
        .failed = (int64_t)ret_sums->failed,
        .duration = ret_sums->duration,
        .latency = ret_sums->latency,
    };
    histogram_subtract(&ret->duration, &b->told.duration);
    histogram_subtract(&ret->latency, &b->told.latency);
}

static int report(struct beacon *b, struct redis_conn *conn, const struct gauges *gauges,
                  enum presence_signal *ret_signal, struct err *err)
{
    struct dispatch_stats now;
    dispatch_stats(b->dispatch, &now);
    /* After threads became fewer, some run on to the end of their job. */
    int max = b->threads + (int)now.running;
    struct presence_job *jobs = calloc((size_t)max, sizeof *jobs);
    if (!jobs)
        return -ENOMEM;
    int n = runner_jobs(b->runner, jobs, max);
    bool again = b->repeats > 0 && b->busy == 0 && n == 0;
    b->busy = n;
    b->quiet = !dispatch_is_open(b->dispatch);
    struct presence p = {
        .info = buf_str(&b->info),
        .threads = b->threads,
        .busy = n,
        .quiet = b->quiet,
        .rtt_us = b->rtt_us,
        .rss_kb = process_rss_kb(0),
        .now = heartbeat_redis_now(b->heartbeat),
        .gauges = *gauges,
        .jobs = jobs,
        .njobs = n,
    };
    int64_t began = clock_now_ns();
    int rc = again ? store_presence_again(b->store, conn, &p, ret_signal, err) : -ENOENT;
    b->repeats = rc == 0 ? b->repeats - 1 : 0;
    if (rc == -ENOENT) {
        rc = store_presence(b->store, conn, &p, ret_signal, err);
        b->repeats = rc == 0 ? REPEATS : 0;
    }
    b->rtt_us = (clock_now_ns() - began) / 1000 / (again ? 2 : 1); /* round trips */
    runner_jobs_free(jobs, n);
    free(jobs);
    return rc;
}

/* A person who looks must not see an idle worker that has begun to work seconds ago, so besides
 * its beats the beacon reports when work begins, ends, or is refused (quiet). */
static bool is_due(struct beacon *b)
{
    struct dispatch_stats now;
    dispatch_stats(b->dispatch, &now);
    return clock_now_ns() >= b->next_ns || (now.running > 0) != (b->busy > 0) ||
           now.open == b->quiet || now.limit != b->threads;
}

static int64_t tick(void *ctx)
{
    struct beacon *b = ctx;
    struct redis_conn *conn = NULL;
    redis_pool_tend(b->pool);
    if (!is_due(b))
        return LOOK_MS;
    struct err err = {""};
    enum presence_signal signal = PRESENCE_NONE;
    struct gauges gauges;
    struct tally_sums sums;
    if (!heartbeat_wait_fresh(b->heartbeat, clock_deadline_ms(TAKE_MS)))
        return LOOK_MS;
    if (b->started_at == 0)
        b->started_at = heartbeat_redis_now(b->heartbeat);
    read_gauges(b, &sums, &gauges);
    int rc = redis_pool_take(b->pool, clock_deadline_ms(TAKE_MS), &conn, &err);
    if (rc == 0) {
        uint64_t version;
        struct dispatch_stats now;
        struct conf *conf = live_conf(b->live, &version);
        dispatch_stats(b->dispatch, &now);
        if (version != b->conf_version || now.limit != b->threads) {
            b->threads = now.limit;
            rc = follow_conf(b, conn, conf, &err);
        }
        if (rc == 0) {
            b->conf_version = version;
            rc = report(b, conn, &gauges, &signal, &err);
        } else {
            b->conf_version = 0; /* again */
        }
        conf_unref(conf);
        redis_pool_give(b->pool, conn);
    }
    if (signal != PRESENCE_NONE)
        b->signalled(b->signalled_ctx, signal);
    if (rc != 0 && rc != -ECANCELED)
        log_warn("could not report to the dashboard", log_str("error", err.text));
    if (rc == 0) {
        b->told = sums;
        b->permits_peak = b->connections_peak = 0;
    }
    if (rc == 0 || rc == -EMEDIUMTYPE)
        b->next_ns = clock_deadline_ms(b->busy > 0 ? BEAT_MS : IDLE_BEAT_MS);
    return LOOK_MS;
}

int beacon_start(struct beacon *b)
{
    return ticker_start(&b->ticker, "beacon", tick, b);
}

void beacon_stop(struct beacon *b)
{
    ticker_stop(&b->ticker);
    buf_release(&b->info);
}
