/*
 * Dispatch: which executor thread does what next.
 *
 * Threads pull for themselves; there is no fetch thread that could fall behind. An executor asks
 * for its next turn and gets a job from the ready list; or, when that is empty and the queues may
 * hold something, the turn to claim a batch for everybody; or it sleeps. Sleepers form a stack:
 * the last to sleep is the first to be woken, so that a light load runs on a few warm threads
 * however many there are. Whoever takes a job wakes one more thread if there is more to do (a
 * chain of wake-ups instead of a herd): more than WAKE_NS of work, by the mean of recent jobs.
 *
 * Where jobs are as short as that, two threads do it all: one runs what the other has claimed, and
 * they change places, so that neither Redis nor the handlers wait for the other. Should a job turn
 * out to be slow after all, the waker looks after those behind it (dispatch_surplus).
 *
 * How much to claim. As many jobs as threads are free now, less what other claims under way will
 * bring. Beyond that only while jobs are so short that the surplus is CLAIM_AHEAD_NS of work: a
 * batch must never wait behind a slow job. If it happens all the same (short jobs turned long),
 * dispatch_surplus() hands back what has waited too long, and the waker returns it to its queue.
 *
 * Limit. When fewer threads are to work, whichever ends its job first leaves, and nobody sleeps
 * while there are too many: so no more jobs run than the new limit as soon as that many have ended,
 * and none is disturbed.
 *
 * Dry. When a claim came back empty the queues are dry: executors sleep, and the waker's blocking
 * waits watch the queues until a job lands (dispatch_landed).
 *
 * Threads: safe from any thread; dispatch_next() and dispatch_wait_idle() block. `notify` is
 * called without the mutex held. A job is the list's from push to pop.
 */
#ifndef SLUICE_WORKER_DISPATCH_H
#define SLUICE_WORKER_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "worker/job.h"

enum { CLAIM_MAX_JOBS = 100, CLAIMERS_MAX = 2 };
#define CLAIM_AHEAD_NS (5 * NS_PER_MS)  /* of work claimed beyond the free threads */
#define JOB_LATE_NS    (5 * NS_PER_MS)  /* a claimed job that waits longer wakes all it can */
#define JOB_SURPLUS_NS (20 * NS_PER_MS) /* … and without a free thread goes back to its queue */
#define WAKE_NS        (NS_PER_MS / 5)  /* for less work than this no other thread is woken */

/* Where one executor sleeps. */
struct sleeper {
    struct cond cond;
    int thread; /* its number */
    bool awake;
    bool running;  /* its last turn was a job */
    unsigned want; /* its last turn was a claim of this many */
    struct sleeper *below;
    bool left; /* its thread was told to end, for the limit or at the end of all */
};

struct dispatch {
    struct mutex mutex;
    /* guards: everything below */
    struct job *head, *tail;
    unsigned ready;
    struct sleeper *sleepers;
    unsigned sleeping; /* on the stack */
    unsigned waking;   /* taken off it and not yet running */
    unsigned running;
    unsigned claimers;
    unsigned wanted;           /* jobs that claims under way may bring */
    int limit;                 /* executor threads that may work … */
    int threads;               /* … and that there are: more, while jobs of some still run */
    bool open;                 /* claiming allowed */
    bool ended;                /* executors leave */
    bool suspected;            /* the queues may hold jobs */
    double mean_ns;            /* of recent jobs; < 0 before the first */
    struct cond idle_cond;     /* running fell to 0 */
    struct cond pause_ends;    /* opened, closed or ended */
    void (*notify)(void *ctx); /* the waker: dry, or a thread became free while dry, or surplus */
    void *notify_ctx;
    bool waker_wants_thread;
    bool watched; /* jobs were left in the ready list since the waker last looked */
};

enum turn { TURN_JOB, TURN_CLAIM, TURN_END };

void dispatch_init(struct dispatch *d, int limit, void (*notify)(void *), void *ctx);
void dispatch_release(struct dispatch *d); /* nobody may be inside; the ready list is empty */

void sleeper_init(struct sleeper *s, int thread);
void sleeper_release(struct sleeper *s);

/* A thread comes, counted before its first turn. It goes by TURN_END; or by dispatch_uncount(),
 * when it could not be started. */
void dispatch_count(struct dispatch *d);
void dispatch_uncount(struct dispatch *d);
int dispatch_threads(struct dispatch *d);

/* The next turn of an executor. took_ns: how long its last job ran. For TURN_JOB the job is the
 * caller's; for TURN_CLAIM it must claim up to *ret_want and then call dispatch_claimed(). */
enum turn dispatch_next(struct dispatch *d, struct sleeper *self, int64_t took_ns,
                        struct job **ret_job, unsigned *ret_want);

/* The end of a TURN_CLAIM: takes the claim's jobs in (last of the list first: it is the oldest),
 * or NULL. dry: the queues were looked at and are empty. */
void dispatch_claimed(struct dispatch *d, struct sleeper *self, struct claim *claim, bool dry);

/* A job that came by a blocking wait. -EBUSY when no thread is free for it, or closed: give it
 * back. */
int dispatch_landed(struct dispatch *d, struct claim *claim) warn_unused_result;

/* Jobs found by reconciliation: they are ours already and go to the ready list in any case. */
void dispatch_adopted(struct dispatch *d, struct claim *claim);

/* For the waker: may it wait now (open, dry, and how many threads are free)? With none free it
 * will be notified when there is one. */
bool dispatch_is_dry(struct dispatch *d, unsigned *ret_free);
/* Something may be in the queues: claim again. */
void dispatch_suspect(struct dispatch *d);

/* Jobs that have waited too long with no thread free, other than those on trial (or all of them):
 * the caller's now, linked by next. *ret_recheck_ns: when to look again; CLOCK_NEVER when nothing
 * waits. */
struct job *dispatch_surplus(struct dispatch *d, bool all, int64_t *ret_recheck_ns);

void dispatch_open(struct dispatch *d, bool open); /* quiet: false */
bool dispatch_is_open(struct dispatch *d);
void dispatch_set_limit(struct dispatch *d, int limit);
/* Whether the thread of a sleeper was told to end: then only joining it is left. */
bool dispatch_has_left(struct dispatch *d, const struct sleeper *s);
void dispatch_end(struct dispatch *d);

/* Waits until no job runs, none is ready and no claim is under way. False at the deadline. */
bool dispatch_wait_idle(struct dispatch *d, int64_t deadline_ns);

/* Sleeps up to ms, but not while claiming is not allowed: the pause of a claimer after an error. */
void dispatch_pause(struct dispatch *d, int64_t ms);

struct dispatch_stats {
    unsigned ready, running, sleeping, claimers;
    int limit;
    bool open, dry;
    double mean_ns;
};
void dispatch_stats(struct dispatch *d, struct dispatch_stats *ret);

#endif
