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
 * Threads: none. Ownership: job_batch_release() ends it.
 */
#ifndef SLUICE_STORE_JOB_BATCH_H
#define SLUICE_STORE_JOB_BATCH_H

#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

enum { STORE_IDEMPOTENCY_SECONDS = 86400 };

struct batch_job {
    size_t end;   /* of its payload in `text` */
    size_t queue; /* offset of its name in `names`; both end with a NUL */
    size_t jid;
    double due; /* Unix seconds; 0 = now */
};

struct job_batch {
    double now;          /* Redis' time */
    int64_t max_payload; /* bytes of a completed job; what workers would bury */
    struct buf text;     /* payloads, one behind the other */
    struct buf names;
    struct batch_job *job;
    size_t n, cap;
};

/* -EBADMSG with what is wrong, and *ret_field (NULL: no single field); -EMSGSIZE when it is larger
 * than max_payload; -ENOMEM. */
int job_batch_add(struct job_batch *b, struct slice job, const char **ret_field,
                  struct err *err) warn_unused_result;
const char *job_batch_jid(const struct job_batch *b, size_t i);
void job_batch_release(struct job_batch *b);

/* key and record: NULL and empty without. *ret_was: the record that was there, to be freed; NULL
 * when the batch was enqueued. -EMEDIUMTYPE when a target holds another type: nothing was pushed
 * then. */
int store_enqueue(const struct store *s, struct redis_conn *c, const struct job_batch *b,
                  const char *key, struct slice record, struct reply **ret_was,
                  struct err *err) warn_unused_result;

/* One of several: what is asked for, as above, and what came of it. */
struct enqueue {
    const struct job_batch *batch;
    const char *key;
    struct slice record;

    int rc;
    struct err err;
    struct reply *was; /* NULL unless rc is 0 */
};

enum { STORE_ENQUEUE_MAX = 64 }; /* batches at once */

/* The same for n batches, 1..STORE_ENQUEUE_MAX, in one write. Each is its own: it is enqueued or
 * fails as if it were alone, in the order of the array; -ENOTCONN is for those without an answer,
 * and -EAGAIN may also be for one whose turn had not come when the connection was lost. */
void store_enqueue_all(const struct store *s, struct redis_conn *c, struct enqueue *const *e,
                       int n);

#endif
