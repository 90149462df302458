/*
 * The sampler: a thread that adds a point to the history (api/history.h) every five seconds,
 * whether anybody looks or not, through the snapshots that requests share: when somebody looks, it
 * costs Redis nothing.
 *
 * It passes the gate as requests do, and gives up before its next turn.
 *
 * Stop: at once when it rests or waits for the gate (the pool stops before it), and when Redis does
 * not answer (snapshots_interrupt()); while it connects, when that ends.
 *
 * Threads: start and stop from one. Ownership: borrows the API until the stop.
 */
#ifndef SLUICE_API_SAMPLER_H
#define SLUICE_API_SAMPLER_H

#include <stdbool.h>

#include "api/history.h"

struct api;

struct sampler {
    struct api *api;
    struct history history;
    struct thread thread;
    struct mutex mutex; /* guards: below */
    struct cond wake;
    bool stopping;
    double ahead_s; /* of Redis' time over the monotonic clock */
};

void sampler_init(struct sampler *s, struct api *a);
int sampler_start(struct sampler *s) warn_unused_result; /* -EAGAIN */
void sampler_stop(struct sampler *s);                    /* harmless on one that never started */
void sampler_release(struct sampler *s);

/* Redis' time, as of the last look; before there was one, ours. */
double sampler_now(struct sampler *s);

#endif
