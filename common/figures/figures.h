/*
 * Figures that every process of Sluice shows in its /metrics: its gate to Redis, and itself.
 *
 * Threads: safe from any. Errors: the buffer's.
 */
#ifndef SLUICE_FIGURES_FIGURES_H
#define SLUICE_FIGURES_FIGURES_H

#include "http/metrics.h"
#include "redis/pool.h"

/* A family of gauges with the label `state`. */
struct figure_state {
    const char *name;
    int64_t n;
};
void figures_put_states(struct buf *out, const char *name, const char *help,
                        const struct figure_state *states, size_t n);

void figures_put_redis(struct buf *out, struct redis_pool *pool);

/* By the names that Prometheus' own libraries use. born_at: Unix time of the start. */
void figures_put_process(struct buf *out, double born_at);

#endif
