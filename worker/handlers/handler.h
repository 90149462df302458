/*
 * Handlers: what a job's class leads to. One interface, many kinds (plugin, exec, process,
 * http), so that the runner knows none of them.
 *
 * A handler is opened once from its settings and then runs any number of jobs at once, each on
 * the executor thread that calls it. Everything a run wants from the worker goes through
 * `struct run`, which the runner implements: so handlers know neither Redis nor the pool.
 *
 * Threads: open/warm/close from the main thread; run() from many threads at once, blocking until
 * the job is over. Ownership: the registry owns handlers; a run borrows its job's strings.
 */
#ifndef SLUICE_WORKER_HANDLERS_HANDLER_H
#define SLUICE_WORKER_HANDLERS_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "conf/conf.h"

/* Bounds of every kind of handler, in bytes. */
enum { HANDLER_RESULT_MAX = 1 << 20, HANDLER_EVENT_MAX = 1 << 20 };

enum outcome_kind {
    OUTCOME_DONE,
    OUTCOME_FAILED, /* retried */
    OUTCOME_DEAD,   /* never retried */
};

/* What a program has used that ran for one job only. */
struct outcome_usage {
    char exit[48]; /* how it ended, e.g. "exit status 0"; "" when nothing is known */
    double cpu_s;
    int64_t peak_rss_kb; /* 0 when it is not known */
};

struct outcome {
    enum outcome_kind kind;
    char error_class[64]; /* "" when done */
    struct buf message;   /* the error in words, may hold any bytes; cut and scrubbed later */
    struct buf result;    /* one JSON value, or empty */
    struct outcome_usage usage;
    double retry_after_s; /* when the failed wants its next attempt; 0: the usual back-off */
};

/* Why a run should end; also what its failure is recorded as. */
enum run_stop {
    RUN_GOES_ON = 0,
    RUN_CANCELLED, /* by a user: recorded as stopped, never retried */
    RUN_TIMEOUT,   /* its wall time is over: a failure */
    RUN_SHUTDOWN,  /* the worker leaves; the job has been given back to its queue */
    RUN_LOST,      /* the job is no longer ours (lease lost) */
};

struct run; /* one execution, see worker/runner.h */

struct run_job {
    const char *jid;
    const char *klass;
    const char *queue;
    struct slice args;       /* raw JSON array */
    struct slice payload;    /* raw JSON object, with jid and queue inside; behind it, a NUL */
    int64_t attempt;         /* from 1 */
    int64_t deadline_ns;     /* monotonic end of its wall time; CLOCK_NEVER without limit */
    int64_t timeout_ms;      /* 0 without limit */
    const char *traceparent; /* or NULL */
};

/* The worker's side of a run. emit: 0, or -ECANCELED when the run should stop. */
struct run_ops {
    int (*emit)(struct run *run, struct slice text); /* one event; made JSON if it is not */
    enum run_stop (*stop)(struct run *run);          /* cheap: atomics and the clock */
    /* For handlers that must be woken to stop: a descriptor that becomes readable when stop()
     * changes for another reason than the deadline, or -1 when none could be had. Created at the
     * first call; owned by the run. */
    int (*stop_fd)(struct run *run);
    /* The run has waited for its turn and begins only now: its wall time counts from here. */
    void (*begin)(struct run *run);
    void (*log)(struct run *run, int level, struct slice text); /* 0 debug … 3 error */
};

struct handler;

struct handler_kind {
    const char *name; /* "plugin", "exec", … */
    /* Makes a handler of these settings. Errors are configuration errors: they name what is
     * wrong (file, reason); the caller adds FILE:LINE. */
    int (*open)(const struct conf_handler *conf, struct handler **ret, struct err *err);
    /* Starts what has to run before jobs come; may be NULL. Not called when settings are only
     * checked. */
    int (*warm)(struct handler *h, struct err *err);
    /* Runs one job to its end. *out is zeroed before and released by the caller. */
    void (*run)(struct handler *h, const struct run_job *job, struct run *run,
                const struct run_ops *ops, struct outcome *out);
    void (*close)(struct handler *h);
};

struct handler {
    const struct handler_kind *kind;
    const struct conf_handler *conf; /* borrowed: the settings outlive the handler */
    struct limiter *limiter;         /* of max_concurrency, the registry's; NULL without */
};

/* Runs one job, when it is its turn. *out is zeroed before and released by the caller. */
void handler_run(struct handler *h, const struct run_job *job, struct run *run,
                 const struct run_ops *ops, struct outcome *out);

/* Fills an outcome: kind, class and formatted message. */
void outcome_fail(struct outcome *out, enum outcome_kind kind, const char *error_class,
                  const char *fmt, ...) printf_like(4, 5);

/* Fills the outcome of a run that was ended by `stop`: failed, with the class and words that go
 * with the reason, e.g. "Timeout", "ran longer than 30 s". */
void outcome_stop(struct outcome *out, enum run_stop stop, const struct run_job *job);

/* The same for one that said nothing for longer than its handler allows. */
void outcome_silent(struct outcome *out, double silence_s);

void outcome_release(struct outcome *out);

extern const struct handler_kind plugin_kind;
extern const struct handler_kind exec_kind;
extern const struct handler_kind process_kind;
extern const struct handler_kind http_kind;

#endif
