#include "api/sampler.h"

#include <math.h>

#include "api/parts.h"
#include "base/clock.h"

#define INTERVAL_NS ((int64_t)HISTORY_INTERVAL_S * NS_PER_S)
#define GIVE_UP_NS  (INTERVAL_NS - NS_PER_S)

static double seconds(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

double sampler_now(struct sampler *s)
{
    mutex_lock(&s->mutex);
    double now = seconds(clock_now_ns()) + s->ahead_s;
    mutex_unlock(&s->mutex);
    return now;
}

static void take_figures(const struct snapshot *s, double *value)
{
    double latency_s = 0;
    for (size_t i = 0; i < s->nqueues; i++)
        latency_s = fmax(latency_s, s->queues[i].latency_s);
    value[HISTORY_PROCESSED] = (double)s->stats.processed;
    value[HISTORY_FAILED] = (double)s->stats.failed;
    value[HISTORY_ENQUEUED] = (double)s->stats.enqueued;
    value[HISTORY_SCHEDULED] = (double)s->stats.scheduled;
    value[HISTORY_RETRIES] = (double)s->stats.retries;
    value[HISTORY_DEAD] = (double)s->stats.dead;
    value[HISTORY_LATENCY_S] = latency_s;
}

static void take_workers(const struct snapshot *s, double *value)
{
    struct gauges sum = {.known = false};
    value[HISTORY_BUSY] = value[HISTORY_THREADS] = 0;
    for (size_t i = 0; i < s->nworkers; i++) {
        const struct worker_info *w = &s->workers[i];
        if (!worker_info_lives(w))
            continue;
        value[HISTORY_BUSY] += (double)w->busy;
        value[HISTORY_THREADS] += (double)w->concurrency;
        gauges_sum(&sum, &w->gauges);
    }
    value[HISTORY_PERMITS_IN_USE] = (double)sum.permits.peak;
    value[HISTORY_PERMITS_LIMIT] = (double)sum.permits.limit;
    value[HISTORY_PERMITS_WAITING] = (double)sum.permits.waiting;
    value[HISTORY_CONNECTIONS_OPEN] = (double)sum.connections.peak;
    value[HISTORY_CONNECTIONS_LIMIT] = (double)sum.connections.limit;
    if (histogram_total(&sum.duration) > 0) {
        value[HISTORY_DURATION_P50_S] = (double)histogram_quantile_us(&sum.duration, 0.5) / 1e6;
        value[HISTORY_DURATION_P99_S] = (double)histogram_quantile_us(&sum.duration, 0.99) / 1e6;
    }
}

static void take_sample(struct sampler *s)
{
    int64_t deadline_ns = clock_now_ns() + GIVE_UP_NS;
    struct history_point point = {.t = sampler_now(s)};
    struct snapshot *snapshot;
    struct err err; /* nobody asks: the point is there without its figures */
    for (int i = 0; i < HISTORY_COLUMNS; i++)
        point.value[i] = NAN;
    if (snapshot_get(s->api, SNAPSHOT_FIGURES, deadline_ns, &snapshot, &err) == 0) {
        take_figures(snapshot, point.value);
        point.t = snapshot->stats.now;
        mutex_lock(&s->mutex);
        s->ahead_s = snapshot->stats.now - seconds(snapshot->at_ns);
        mutex_unlock(&s->mutex);
        snapshot_unref(snapshot);
        if (snapshot_get(s->api, SNAPSHOT_WORKERS, deadline_ns, &snapshot, &err) == 0) {
            take_workers(snapshot, point.value);
            snapshot_unref(snapshot);
        }
    }
    history_add(&s->history, &point);
}

/* False when there is to be no next one. */
static bool rest_until(struct sampler *s, int64_t next_ns)
{
    mutex_lock(&s->mutex);
    while (!s->stopping && clock_now_ns() < next_ns)
        (void)cond_wait_until(&s->wake, &s->mutex, next_ns); /* the loop looks again */
    bool go_on = !s->stopping;
    mutex_unlock(&s->mutex);
    return go_on;
}

static void *sample(void *arg)
{
    struct sampler *s = arg;
    int64_t next_ns = clock_now_ns();
    while (rest_until(s, next_ns)) {
        take_sample(s);
        next_ns += INTERVAL_NS;
        if (next_ns < clock_now_ns()) /* it was held up: later, not twice */
            next_ns = clock_now_ns() + INTERVAL_NS;
    }
    return NULL;
}

void sampler_init(struct sampler *s, struct api *a)
{
    s->api = a;
    s->ahead_s = (double)clock_wall_us() / 1e6 - seconds(clock_now_ns());
    history_init(&s->history);
    mutex_init(&s->mutex);
    cond_init(&s->wake);
}

int sampler_start(struct sampler *s)
{
    return thread_start(&s->thread, "sampler", sample, s);
}

void sampler_stop(struct sampler *s)
{
    mutex_lock(&s->mutex);
    s->stopping = true;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->mutex);
    thread_join(&s->thread);
}

void sampler_release(struct sampler *s)
{
    cond_release(&s->wake);
    mutex_release(&s->mutex);
    history_release(&s->history);
}
