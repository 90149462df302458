/*
 * Fail points: named instants in the life of a job at which a test may have the worker die.
 *
 * A kill from outside meets the instants between two steps only by luck. Compiled with
 * SLUICE_FAILPOINTS (tests/failpoints/), the worker kills itself with SIGKILL, as the kernel would
 * do it, when it passes the point that the variable SLUICE_FAILPOINT names; a number behind a
 * colon is that pass, counted from 1. In every other build a fail point is nothing at all.
 *
 *   claimed      the reply to a claim is in; nothing of it has been handed out
 *   landed       likewise for what a blocking wait has moved
 *   before-run   the job is about to be given to its handler
 *   after-run    the handler has returned; its outcome is known to nobody yet
 *   before-ack   a batch of ends is about to be sent
 *   after-ack    it was applied, and the books in memory do not know
 *
 * Threads: any.
 */
#ifndef SLUICE_WORKER_FAILPOINT_H
#define SLUICE_WORKER_FAILPOINT_H

#ifdef SLUICE_FAILPOINTS
void failpoint(const char *name);
#else
#define failpoint(name) ((void)0)
#endif

#endif
