/*
 * A worker as one must not write it: BRPOP from "default", then run. Between the two, and until the
 * end of the run, the job is nowhere but in its memory. An oracle that does not find that out is
 * none: fault/test_oracle.c and the soak's --broken run it for that.
 *
 * It is a process (support/broken) that dies with the test, connects again whenever it has to, and
 * leaves the same lines in the oracle's log as the test plugin does.
 */
#ifndef SLUICE_TESTS_BROKEN_WORKER_H
#define SLUICE_TESTS_BROKEN_WORKER_H

#include <stdint.h>
#include <sys/types.h>

/* Each job takes job_ms. Returns when it has begun, connected or not. */
pid_t broken_worker_start(const char *url, const char *log, int64_t job_ms);
/* SIGKILL, and reaps. */
void broken_worker_kill(pid_t pid);

/* A line of the oracle's log. */
void broken_worker_note(const char *log, const char *jid, const char *what);

#endif
