/*
 * Services: the one list of the order in which the parts of a worker start and stop.
 *
 * They start in this order and stop in the reverse of it; a service may use only those above it.
 * The last steps of a stop lie between them (worker/stop.c).
 *
 * Threads: the main thread.
 */
#ifndef SLUICE_WORKER_SERVICES_H
#define SLUICE_WORKER_SERVICES_H

#include "worker/parts.h"

enum service {
    SERVICE_HEARTBEAT,
    SERVICE_STREAMER,
    SERVICE_SETTLER,
    SERVICE_REAPER,
    SERVICE_HEALTH, /* below all it reads; answers without Redis, and through the drain */
    SERVICE_WAKER,
    SERVICE_EXECUTORS,
    SERVICE_CONTROL,
    SERVICE_SCHEDULER,
    SERVICE_BEACON,
    SERVICES
};

/* Stops at the first that fails, with those before it running and nothing of its own. */
int services_start(struct worker *w, const struct conf *conf, struct err *err) warn_unused_result;

bool services_has(const struct worker *w, enum service service);  /* it was started */
void services_stop_above(struct worker *w, enum service service); /* those that start after it */
void services_stop_all(struct worker *w);

#endif
