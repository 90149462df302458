/*
 * The job as handlers outside of the worker are shown it: one line of JSON, with the attempt as its
 * last member.
 *
 * Threads: pure.
 */
#ifndef SLUICE_WORKER_HANDLERS_JOB_TEXT_H
#define SLUICE_WORKER_HANDLERS_JOB_TEXT_H

#include "handlers/handler.h"

/* Into an empty buffer, without a newline. -ENOMEM. */
int job_text_put(struct buf *out, const struct run_job *job) warn_unused_result;

#endif
