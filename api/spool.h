/*
 * The spool: jobs that come while Redis is away are kept in a folder, and replayed when it is back.
 *
 * What for. A client that is told 503 has to keep its jobs until Redis is back, and most cannot.
 * With `api.spool` it is told 202, which means: on the disk of this machine, and enqueued later.
 * So it is exactly as safe as that disk until it has been replayed, and no job of a spooled request
 * runs before.
 *
 * Away is whatever a moment may heal (spool_takes()): Redis is not reached, loads, is no master, is
 * full, or the request got no turn. What is wrong with the request itself is refused as ever.
 *
 * An acknowledgement is a promise. The answer follows on fsync of the record, and of its file's
 * name in the folder. A write or fsync that fails is 503, and its file gets no more records: after
 * a failed fsync the kernel may hold pages for written that are not, so asking again proves
 * nothing. The next file says where that one ends for good (its fence, api/spool_segment.h). If not
 * even that file can be made before the machine fails, a request that was refused may be found in
 * the spool and be enqueued, like one whose connection broke. Requests that wait at the same time
 * share one fsync: the first to come writes for all that have gathered (api/spool_add.c).
 *
 * Once. A request may reach Redis whose answer is lost, and so may a replay. So with a spool each
 * is sent under a guard (store/job_batch.h): a name and a rising number that Redis keeps, in the
 * script that enqueues. A request sent at once takes a slot, and no two have the same slot at a
 * time; if it has to be spooled, slot and number go with it, and nobody takes that slot until the
 * spool is empty (whoever did might pass it with a higher number, and it would seem to be done).
 * What comes out of the spool is numbered by its place in the folder. The names hold the run of the
 * process, at random, so neither a restart nor a copy of the folder can meet a number of somebody
 * else. That costs Redis two commands a request and a key for each slot. (Rejected: an idempotency
 * record under a made-up key for each request, which is kept for a day: at 20,000 requests a second
 * these are hundreds of gigabytes. Also rejected: such a key for the second attempt only; the
 * first, whose outcome is unknown,
 * would lack it.) Redis keeps guards for 30 days: an outage that is longer may double what was
 * under way when it began.
 *
 * Order. While there is anything in the spool, all that comes goes behind it. When the replay has
 * reached the last of it, newcomers wait the moment until that is done, so that the end comes
 * however many there are. Order is per process, as ever.
 *
 * Keys. A client's Idempotency-Key means the same here: a second request under a key that is in the
 * spool is answered as the first was, or refused. What was enqueued under it before the outage is
 * not known while Redis is away; then the answer names jobs which are not enqueued, as the replay
 * finds those of the first request there.
 *
 * Time. Jobs get their times when they are accepted, by the last that is known of Redis' clock
 * (api/clock.h). A due time that has passed at the replay is due then.
 *
 * What cannot be replayed because Redis refuses it (its queue is no list, say) is set aside in
 * refused.jsonl with the reason, and the others go on. What cannot be read is set aside as it is
 * (api/spool_folder.h). Both are errors in the log and figures.
 *
 * Rejected: SQLite, which has all of this but the last: one damaged page, and the file is refused
 * as a whole.
 *
 * Threads: any, for what a request needs; open to free from one. One thread replays, through the
 * gate. Blocking: spool_add() for the disk; spool_in_use() until its deadline.
 */
#ifndef SLUICE_API_SPOOL_H
#define SLUICE_API_SPOOL_H

#include <stdbool.h>

#include "redis/pool.h"
#include "store/job_batch.h"

struct spool; /* opaque */

struct spool_options {
    const char *path;  /* borrowed for the call */
    int64_t max_bytes; /* of segments that are not replayed */
    struct store *store;
    struct redis_pool *pool; /* both borrowed until the end */
};

/* Whether the folder can be used, without a trace. */
int spool_check(const char *path, struct err *err) warn_unused_result;

/* Takes the folder, and counts what an earlier run has left there. -EBUSY when it is another
 * process'. */
int spool_open(const struct spool_options *o, struct spool **ret,
               struct err *err) warn_unused_result;
int spool_start(struct spool *s) warn_unused_result; /* the replay */
/* The pool is stopped, and nobody adds any more. Says how much stays for the next start. */
void spool_free(struct spool *s); /* accepts NULL */

/* ---- of one request ---- */

/* Whether it has to go into the spool, behind others. Waits while the last of these are on their
 * way to Redis. False without a spool (NULL), as is the next. */
bool spool_in_use(struct spool *s, int64_t deadline_ns);

/* Whether a request that failed so is to be spooled. */
bool spool_takes(const struct spool *s, int rc);

/* Whether the replay is at it: Redis has taken the last that it was sent. */
bool spool_is_replaying(struct spool *s);

/* Under which number it is sent to Redis. */
struct spool_turn {
    unsigned slot;
    int64_t number;
    char name[48]; /* the guard's; "": no slot is free, so it goes without one */
};
struct enqueue_guard spool_turn_take(struct spool *s, struct spool_turn *ret);
/* When it is known what came of it, or it has been added. */
void spool_turn_give(struct spool *s, const struct spool_turn *turn);

struct spool_request {
    const struct job_batch *batch;
    const char *key;               /* Idempotency-Key, or NULL */
    struct slice kept;             /* api/once.h */
    const struct spool_turn *sent; /* NULL: Redis has certainly not got it */
    const char *why;               /* what is the matter, for the log */

    int rc;
    struct err err;
    struct buf was; /* what is kept of an earlier one under its key; empty when it was added */
};

/* Adds them all, in their order, each with its own rc: 0 when it is on disk, or when there was one
 * under its key; -ENOSPC when the spool or the disk is full, -ETIMEDOUT when the disk had no time
 * for it before the deadline, -ESTALE when the one under its key leaves the spool right now, or the
 * file's error. Nothing will be enqueued then (but see above). */
void spool_add(struct spool *s, struct spool_request *const *all, int n, int64_t deadline_ns);

/* ---- for people ---- */

struct spool_stats {
    size_t requests, jobs;               /* that wait for their replay */
    int64_t bytes;                       /* of the segments */
    double oldest_s;                     /* age of the first of them; 0 without */
    bool failing;                        /* the last writing has failed */
    uint64_t spooled, replayed, refused; /* jobs, since the start */
    uint64_t failures;                   /* requests that could not be added */
    uint64_t damages;                    /* places that could not be read */
};
void spool_stats(struct spool *s, struct spool_stats *ret);

#endif
