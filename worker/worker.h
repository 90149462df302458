/*
 * The worker: all services of one process, and the one list of the order they start and stop in.
 *
 * Start: pool, heartbeat, streamer, settler, reaper, metrics server, waker, executors, control,
 * scheduler, beacon. Nothing is claimed before the first lease is held.
 *
 * Stop (worker_begin_stop, worker_finish): no more claims; waits for running jobs until the
 * deadline; then what is left goes back to its queues in one script, handlers are told to stop and
 * get a short grace. Each step has a bound, so a stop ends even when Redis or a handler does not
 * answer; what could not be given back lies in our claims and is recovered by others when the lease
 * has lapsed.
 *
 * Threads: start, stop and reload from the main thread; the others from any.
 */
#ifndef SLUICE_WORKER_WORKER_H
#define SLUICE_WORKER_WORKER_H

#include <stdbool.h>

#include "conf/conf.h"

/* From the end of the shutdown timeout to the end of the process, at most, with the timeouts of
 * Redis at their defaults: whoever kills what does not stop (systemd, a container's runtime) waits
 * for both together. A second will do when Redis answers; a Redis that has frozen takes 29. */
enum { WORKER_FINISH_S = 40 };

struct worker;

/* Takes a reference of conf. -EINVAL for settings that cannot work (handlers, pool, URL). */
int worker_new(struct conf *conf, struct worker **ret, struct err *err) warn_unused_result;
int worker_start(struct worker *w, struct err *err) warn_unused_result;

/* The first lease is held: ready for work. */
bool worker_is_ready(struct worker *w);
/* Progress, for a watchdog: the heartbeat thread came round within the last moments. */
bool worker_is_alive(struct worker *w);

void worker_quiet(struct worker *w);
void worker_resume(struct worker *w);

/* Applies what can change live: handlers, queues, threads, permits, shutdown timeout, log.
 * Settings that need a restart are named in a warning. */
int worker_reload(struct worker *w, struct conf *conf, struct err *err) warn_unused_result;

/* Warns about a server or a fleet that will bring trouble. Once, when ready. */
void worker_check_server(struct worker *w);

/* State to the log. */
void worker_dump(struct worker *w);

/* Begins to stop: no more claims. */
void worker_begin_stop(struct worker *w);
/* True when no job runs or waits any more, at the deadline at the latest (monotonic). Call it
 * repeatedly with short deadlines to be able to listen for a second signal. */
bool worker_wait_drained(struct worker *w, int64_t deadline_ns);
/* Ends everything. Returns false when a handler did not return within its grace: its thread still
 * runs, and the caller must end the process with _exit(), without worker_free(). */
bool worker_finish(struct worker *w, bool at_once) warn_unused_result;

/* Only after worker_finish() returned true, or when worker_start() failed. */
void worker_free(struct worker *w);

#endif
