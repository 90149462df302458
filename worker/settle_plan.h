/*
 * Which operations settle a list of finished jobs (by next): one for each job, but the plain acks
 * of a claim that is thereby complete become one, after all others, that drops what is left of it.
 *
 * Of each job, op says then which operation is its own (NO_OP: that of its claim, drop_op).
 *
 * Threads: the settler's turn, as the counters of claims are its own (worker/settler.h).
 */
#ifndef SLUICE_WORKER_SETTLE_PLAN_H
#define SLUICE_WORKER_SETTLE_PLAN_H

#include "worker/job.h"

/* Appends to a batch that was begun. */
void settle_plan(struct settle_batch *b, struct job *jobs);

#endif
