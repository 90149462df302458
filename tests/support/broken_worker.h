/*
 * A worker as one must not write it: BRPOP from "default", then run. Between the two, and until the
 * end of the run, the job is nowhere but in its memory. An oracle that does not find that out is
 * none: fault/test_oracle.c and the soak's --broken run it for that.
 *
 * It is a fork of the test that dies with it, connects again whenever it has to, and leaves the
 * same lines in the oracle's log as the test plugin does.
 *
 * Threads: one, and the process must have no other when it forks that could hold a lock.
 */
#ifndef SLUICE_TESTS_BROKEN_WORKER_H
#define SLUICE_TESTS_BROKEN_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "redis/conn.h"

/* Each job takes job_ms. */
pid_t broken_worker_start(const struct redis_options *to, const char *log, int64_t job_ms);
/* SIGKILL, and reaps. */
void broken_worker_kill(pid_t pid);

/* A line of the oracle's log. */
void broken_worker_note(const char *log, const char *jid, const char *what);

#endif
