/*
 * A batch of jobs that is enqueued whole or not at all (lua/enqueue.lua), and several batches in
 * one round trip.
 *
 * Each job is checked by the parser that workers use and completed (jid, queue, times) as it is
 * added, so the batch holds the bytes that will lie in Redis. A due time in the future puts a job
 * into `schedule`, any other into its queue.
 *
 * With an idempotency key the script also keeps a record of the caller's (what was asked, and the
 * answer to it) for a day, and enqueues nothing when there is one: so the same request may be sent
 * again after -ENOTCONN. Without a key it may double the jobs.
 *
 * A guard does the same for a sender who numbers what it sends: a number under a name, which the
 * script keeps in place of the one before. What has been enqueued under a guard is not enqueued
 * again, and what is sent behind it in a pipeline may ask not to overtake it (`floor`). A key costs
 * a record for each request, a guard one for each sender; on the other hand a sender must not go on
 * to its next number before it knows what came of the last.
 *
 * Threads: none. Ownership: job_batch_release() ends it.
 */
#ifndef SLUICE_STORE_JOB_BATCH_H
#define SLUICE_STORE_JOB_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

enum { STORE_IDEMPOTENCY_SECONDS = 86400, STORE_GUARD_SECONDS = 30 * 86400 };

struct batch_job {
    size_t end;   /* of its payload in `text` */
    size_t queue; /* offset of its name in `names`; both end with a NUL */
    size_t jid;
    double due; /* Unix seconds; 0 = now */
};

struct job_batch {
    double now;              /* Redis' time */
    int64_t max_payload;     /* bytes of a completed job; what workers would bury */
    const char *traceparent; /* for jobs that bring none; borrowed; NULL: none */
    struct buf text;         /* payloads, one behind the other */
    struct buf names;
    struct batch_job *job;
    size_t n, cap;
};

/* -EBADMSG with what is wrong, and *ret_field (NULL: no single field); -EMSGSIZE when it is larger
 * than max_payload; -ENOMEM. */
int job_batch_add(struct job_batch *b, struct slice job, const char **ret_field,
                  struct err *err) warn_unused_result;
/* Takes in a job that is complete already. due: 0 for its queue. */
int job_batch_put(struct job_batch *b, const char *queue, const char *jid, double due,
                  struct slice payload) warn_unused_result;

const char *job_batch_jid(const struct job_batch *b, size_t i);
const char *job_batch_queue(const struct job_batch *b, size_t i);
struct slice job_batch_payload(const struct job_batch *b, size_t i);
void job_batch_release(struct job_batch *b);

/* Enqueued only while the number kept under the name (0 without one) is in floor..number-1; then
 * it is `number`. */
struct enqueue_guard {
    const char *name; /* NULL: no guard */
    int64_t floor;
    int64_t number; /* > 0; a double holds it */
};

/* What one caller asks, and what came of it. */
struct enqueue {
    const struct job_batch *batch;
    const char *key;     /* of idempotency; NULL: none */
    struct slice record; /* to be kept under it; empty without */
    struct enqueue_guard guard;

    int rc;
    struct err err;
    struct reply
        *was;        /* the record that was there, to be freed; NULL when the batch was enqueued */
    bool stopped;    /* the guard forbade it: nothing was enqueued … */
    int64_t reached; /* … as this is its number */
};

enum { STORE_ENQUEUE_MAX = 64 }; /* batches at once */

/* Sends n batches, 1..STORE_ENQUEUE_MAX, in one write. Each is its own: it is enqueued or fails as
 * if it were alone, in the order of the array; only guards keep one from being enqueued when the
 * one before it is not. Their codes: -EMEDIUMTYPE when a target holds another type, and nothing was
 * pushed then; -ENOTCONN for those without an answer, which may have been enqueued or not; -EAGAIN
 * may also be for one whose turn had not come when the connection was lost. */
void store_enqueue_all(const struct store *s, struct redis_conn *c, struct enqueue *const *e,
                       int n);

/* One batch, without a guard. key and record: NULL and empty without. *ret_was: the record that was
 * there, to be freed; NULL when the batch was enqueued. */
int store_enqueue(const struct store *s, struct redis_conn *c, const struct job_batch *b,
                  const char *key, struct slice record, struct reply **ret_was,
                  struct err *err) warn_unused_result;

/* The record that is kept under a key, to be freed; NULL: none. */
int store_enqueued_before(const struct store *s, struct redis_conn *c, const char *key,
                          struct reply **ret_was, struct err *err) warn_unused_result;

#endif
