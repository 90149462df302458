/*
 * The environment of a child: the worker's without its secrets, then the handler's `env`, then
 * what describes the job.
 *
 *   SLUICE_JID SLUICE_CLASS SLUICE_QUEUE SLUICE_ATTEMPT, and TRACEPARENT when the job has one
 *
 * A process that runs many jobs has the first two parts only. Those five are never inherited, so
 * that a worker which runs inside a job does not pass its own off as the child's. The credentials
 * of Redis and of the API are taken out: a handler that needs them names them in its `env`. Names
 * set by the handler replace the worker's.
 *
 * Threads: init from any one thread, as it reads environ; for_job from many threads at once.
 */
#ifndef SLUICE_WORKER_HANDLERS_ENVIRONMENT_H
#define SLUICE_WORKER_HANDLERS_ENVIRONMENT_H

#include "base/err.h"
#include "conf/conf.h"
#include "handlers/handler.h"

struct environment {
    char **vars; /* "NAME=value", common to all jobs of a handler; ends with NULL */
    size_t n;
};

/* 0 or -ENOMEM. */
int environment_init(struct environment *e, const struct conf_handler *conf) warn_unused_result;
void environment_release(struct environment *e);

/* The NULL-terminated environment of one job: one block, free() it. Borrows from e. */
int environment_for_job(const struct environment *e, const struct run_job *job,
                        char ***ret) warn_unused_result;

#endif
