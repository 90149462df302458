/*
 * A batch of jobs that is enqueued whole or not at all, in one round trip (lua/enqueue.lua).
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

/* Enqueued only while the number kept under the name (0 without one) is in floor..number-1; then
 * it is `number`. */
struct batch_guard {
    const char *name; /* NULL: no guard */
    int64_t floor;
    int64_t number; /* > 0; a double holds it */
};

struct job_batch {
    double now;          /* Redis' time */
    int64_t max_payload; /* bytes of a completed job; what workers would bury */
    struct buf text;     /* payloads, one behind the other */
    struct buf names;
    struct batch_job *job;
    size_t n, cap;
    struct batch_guard guard;
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

/* key and record: NULL and empty without. *ret_was, to be freed, is NULL when the batch was
 * enqueued; else the record that was there (a string), or the guard's number (an array of it) when
 * that was in the way. -EMEDIUMTYPE when a target holds another type: nothing was pushed then. */
int store_enqueue(const struct store *s, struct redis_conn *c, const struct job_batch *b,
                  const char *key, struct slice record, struct reply **ret_was,
                  struct err *err) warn_unused_result;

/* The record that is kept under a key, to be freed; NULL: none. */
int store_enqueued_before(const struct store *s, struct redis_conn *c, const char *key,
                          struct reply **ret_was, struct err *err) warn_unused_result;

/* One of several requests that are sent in one write, and what came of it. */
struct enqueueing {
    struct job_batch batch;
    const char *key;
    struct slice record;
    int rc; /* as of store_enqueue(); -ENOTCONN: not known */
    struct err err;
    struct reply *was; /* likewise, to be freed */
};

/* The same for all of them, in their order. Each is by itself: only guards keep one from being
 * enqueued when the one before it is not. -ENOTCONN when not all have been answered. */
int store_enqueue_all(const struct store *s, struct redis_conn *c, struct enqueueing *each, int n,
                      struct err *err) warn_unused_result;

#endif
