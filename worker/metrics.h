/*
 * The figures of a worker as Prometheus text: what a machine wants to see, as dump.c is what a
 * person does. Read from the parts that count, nothing is kept here.
 *
 * Threads: any, between the start and the stop of the parts it reads (worker.c). Never waits for
 * Redis or a job.
 */
#ifndef SLUICE_WORKER_METRICS_H
#define SLUICE_WORKER_METRICS_H

#include "base/buf.h"

struct worker;

void worker_put_metrics(struct worker *w, struct buf *out);

#endif
