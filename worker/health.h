/*
 * Health: what orchestrators and Prometheus ask a worker over HTTP (metrics.listen).
 *
 *   /livez    200 while the worker moves, else 503: restart it. Redis being away is no reason.
 *   /readyz   200 while it holds its lease and takes jobs; 503 with the reason when it does not:
 *             not_leased, quiet, stopping.
 *   /metrics  Prometheus text (worker/metrics)
 *
 * It serves before Redis has answered and until the drain is over, so that a probe sees both.
 * There is no token: on loopback none is needed, and beyond it Prometheus must be able to read
 * the figures, which name queues and classes; so that is allowed, with a warning.
 *
 * Threads: one of the HTTP server's; answers wait for nothing. Like dump.c a view of the whole
 * worker.
 */
#ifndef SLUICE_WORKER_HEALTH_H
#define SLUICE_WORKER_HEALTH_H

#include "base/err.h"

struct worker;

/* listen: NULL is off. The error names the address and the reason. */
int health_start(struct worker *w, const char *listen, struct err *err) warn_unused_result;
void health_stop(struct worker *w);

#endif
