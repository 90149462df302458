/*
 * Watches one child from its start to its end, on the thread that runs the job.
 *
 * One poll() over the child's three pipes, its pidfd and the run's stop descriptor: so a child
 * that reads nothing, fills stderr, writes without end or says nothing at all blocks nobody, and
 * a stop takes effect at once. Rejected: a thread per pipe, which multiplies the threads by four
 * and leaves open which of them ends the run.
 *
 * Output flows while the child runs: each line of stdout is an event, each line of stderr a line
 * of the log. Memory is bounded by the longest line kept. emit() may block when Redis is behind;
 * the child then blocks on its pipe, which is the back-pressure.
 *
 * The end. A child that has to stop gets SIGTERM, to its group, and SIGKILL after a grace; its
 * output in between is read and dropped. When the leader has exited, by itself or not, the rest
 * of its group is killed, what lies in the pipes is delivered, and the watch is over whoever still
 * holds those pipes.
 */
#ifndef SLUICE_WORKER_HANDLERS_WATCH_H
#define SLUICE_WORKER_HANDLERS_WATCH_H

#include "handlers/child.h"
#include "handlers/handler.h"

struct watch_limits {
    int64_t silence_ms;        /* the longest time without output; 0 = no limit */
    int64_t grace_ms;          /* from SIGTERM to SIGKILL */
    int64_t shutdown_grace_ms; /* likewise, when the worker is leaving */
};

struct watch_end {
    enum run_stop stop; /* why it was told to stop, or RUN_GOES_ON: it ended by itself … */
    bool silent;        /* … or because it said nothing for too long */
    siginfo_t exit;     /* how it exited: si_code, si_status */
    struct buf tail;    /* the last of stderr; the caller releases it */
};

/* Feeds the job to the child, watches it to its end and ends it (child_end). */
void watch_child(struct child *child, const struct run_job *job, struct run *run,
                 const struct run_ops *ops, const struct watch_limits *limits,
                 struct watch_end *ret);

#endif
