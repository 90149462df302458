/*
 * Watches one child at work on one job, on the thread that runs the job.
 *
 * One poll() over the child's three pipes, its pidfd and the run's stop descriptor: so a child
 * that reads nothing, fills stderr, writes without end or says nothing at all blocks nobody, and
 * a stop takes effect at once. Rejected: a thread per pipe, which multiplies the threads by four
 * and leaves open which of them ends the run.
 *
 * Output flows while the child runs: lines of stdout are events, lines of stderr are lines of the
 * log. Memory is bounded by the longest line kept. emit() may block when Redis is behind; the child
 * then blocks on its pipe, which is the back-pressure.
 *
 * The end. A child for one job only ends the watch by its exit. One that hears of many jobs (warm)
 * ends it by a line that is its answer, and lives on; so stdin stays open, and each line is first
 * shown to `hear`. Whatever else ends it, the child ends with it: a line that is rubbish or too
 * long, its exit, the end of its stdout. One that has to stop gets SIGTERM, to its group, and
 * SIGKILL after a grace; its output in between is read and dropped. When the leader has exited, by
 * itself or not, the rest of its group is killed, what lies in the pipes is delivered, and the
 * watch is over whoever still holds those pipes.
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

/* As the settings say; the graces are always the same. */
void watch_limits_init(struct watch_limits *l, const struct conf_handler *conf);

enum watch_said {
    SAID_EVENT,
    SAID_ANSWER, /* it is through with the job */
    SAID_RUBBISH,
};

struct watch_talk {
    struct slice input; /* the job: one line, without its newline */
    /* Of warm children: what a line says. *ret_event is the line to begin with. */
    enum watch_said (*hear)(void *ctx, struct slice line, struct slice *ret_event);
    void *ctx;
};

enum watch_outcome {
    WATCH_EXITED,   /* also when it was told to stop */
    WATCH_ANSWERED, /* warm children only, as are the rest */
    WATCH_RUBBISH,
    WATCH_TOO_EARLY, /* an answer before it had read the job */
    WATCH_TOO_LONG,  /* a line longer than 1 MiB */
    WATCH_HUNG_UP,   /* it closed its stdout and stayed */
};

struct watch_end {
    enum watch_outcome outcome;
    enum run_stop stop;       /* why it was told to stop, or RUN_GOES_ON: it ended by itself … */
    bool silent;              /* … or because it said nothing for too long */
    bool lives;               /* it has answered and can have another job; else it has been ended */
    bool untouched;           /* warm: it has exited without having read anything of the job */
    siginfo_t exit;           /* how it exited: si_code, si_status */
    struct child_usage usage; /* when it has been ended */
    struct buf tail;          /* the last of stderr; the caller releases it */
};

/* Gives the child its job, watches it to the end of that, and ends it (child_end) unless it
 * lives on. */
void watch_child(struct child *child, const struct watch_talk *talk, const struct run_job *job,
                 struct run *run, const struct run_ops *ops, const struct watch_limits *limits,
                 struct watch_end *ret);

#endif
