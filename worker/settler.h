/*
 * The settler: takes finished jobs and writes their ends to Redis, many in one round trip.
 *
 * Finished jobs gather here, by claim. A claim of which every job has ended is dropped whole, which
 * costs Redis far less than to settle one job after the other; so the next claim that is made
 * (worker/fetcher) carries those along, and of others only jobs that have waited for LINGER_NS.
 * When none is made by then, the settler's own thread sends them; at once when a job among them is
 * recorded or has output, since somebody may be following it. Only one batch is under way at a
 * time, so the operations of a claim reach Redis in order, and a claim's counters need no lock.
 *
 * When Redis finds more in a claim than we have left to settle, because it has lost writes or
 * refused one, the rest are settled one by one, too; what then remains is adopted (worker/reaper).
 * After a failure the batch is put back and sent again. If it may have been applied, its jobs are
 * marked ambiguous: finding such a job already settled is then no loss of ownership. A job whose
 * target key has the wrong type stays claimed and is tried again every few seconds.
 *
 * Back-pressure: a job here is still claimed, and while Redis is away nothing new is claimed. Nor
 * is there while SETTLE_ROOM jobs wait here, or SETTLE_PARKED of a wrong type: so the list is
 * bounded also when whoever sends is slower than those who run and claim.
 *
 * Threads: safe from any thread. settler_take/settler_applied form a turn: whoever took must
 * report, from the same thread. Ownership: submit consumes the job.
 */
#ifndef SLUICE_WORKER_SETTLER_H
#define SLUICE_WORKER_SETTLER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/backoff.h"
#include "base/thread.h"
#include "redis/pool.h"
#include "worker/heartbeat.h"
#include "worker/inflight.h"
#include "worker/job.h"

enum {
    SETTLE_MAX_JOBS = 500, /* in one batch */
    SETTLE_ROOM = 2000,
    SETTLE_PARKED = 10000,
};

struct settler {
    const struct store *store;
    struct redis_pool *pool;
    struct inflight *inflight;
    struct heartbeat *heartbeat;
    struct thread thread;

    struct mutex mutex;
    /* guards: up to the blank line */
    struct cond wake;                   /* the thread: work came, or stopping */
    struct cond settled;                /* pending became less */
    struct claim *claims, **claims_end; /* with jobs that have ended and are not sent */
    unsigned pending;                   /* jobs: of these, under way, parked */
    int64_t due_ns;                     /* the first of these; CLOCK_NEVER without */
    int64_t not_before_ns;              /* after a failure */
    struct job *parked;                 /* wrong type: tried again at parked_until_ns */
    unsigned nparked;
    int64_t parked_until_ns;
    bool under_way;
    int64_t sleeps_until_ns; /* the thread; 0 while it is awake */
    bool stopping;

    /* the turn's owner alone */
    struct settle_batch batch;
    struct job *taken;
    unsigned ntaken;
    int8_t results[2 * SETTLE_MAX_JOBS]; /* at most one per job and one per claim */
    struct backoff backoff;

    atomic_uint_fast64_t written, lost;
};

int settler_start(struct settler *s, const struct store *store, struct redis_pool *pool,
                  struct inflight *inflight, struct heartbeat *heartbeat) warn_unused_result;
/* Joins the thread. What is still pending is dropped from memory: it remains claimed in Redis. */
void settler_stop(struct settler *s);

/* A finished job; job->end says how, NULL is a plain ack. */
void settler_submit(struct settler *s, struct job *job);
/* A job that was never run and whose lease has lapsed: nothing is written. */
void settler_abandon(struct settler *s, struct job *job);
/* A list (by next) of claimed jobs that go back to their queues. */
void settler_give_back(struct settler *s, struct job *jobs);

/* The batch to send along, or NULL when there is none or another is under way. */
const struct settle_batch *settler_take(struct settler *s);
/* How it went: 0 with s->results filled, or the code of the failure. */
void settler_applied(struct settler *s, int rc, const char *error);

/* Waits until there is room for the ends of jobs that are about to be claimed. -ETIMEDOUT at the
 * deadline. */
int settler_wait_room(struct settler *s, int64_t deadline_ns) warn_unused_result;

/* Waits until nothing is pending. False at the deadline. */
bool settler_flush(struct settler *s, int64_t deadline_ns);
unsigned settler_pending(struct settler *s);

#endif
