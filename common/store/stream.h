/*
 * Output and status of one job: `sluice:stream:<jid>` (a list of events whose index is the event's
 * id, and a channel of the same name that carries the new length) and `sluice:job:<jid>` (a hash).
 *
 * Appending is one script: fenced, numbered, published (lua/stream.lua). A job has one writer at a
 * time, so after -ENOTCONN the same events may be sent again with the same length before: if they
 * were appended the first time, they are not again.
 */
#ifndef SLUICE_STORE_STREAM_H
#define SLUICE_STORE_STREAM_H

#include <stdint.h>

#include "redis/pool.h"
#include "store/settle.h"
#include "store/store.h"

/* Events of Sluice's own among those of the job. The status is the last; a marker, with the number
 * of the attempt, stands where a further run of the job goes on in the stream. */
#define STREAM_STATUS_EVENT(status)  "{\"type\":\"status\",\"status\":\"" status "\"}"
#define STREAM_ATTEMPT_EVENT(number) "{\"type\":\"attempt\",\"attempt\":" number "}"

struct stream_target {
    const char *jid;
    uint64_t seq; /* where the job lies, for the fence */
    unsigned index;
    int64_t ttl_s;
    int64_t max_events;
};

/* Appends n events, each one JSON value; with n == 0 only asks for the length. before: the length
 * as of the last call for this job, -1 at the first. *ret_length: events in the stream now. -ESTALE
 * when the job is no longer ours, -EFBIG when the stream is full, -EMEDIUMTYPE when its key is no
 * list. */
int store_stream_append(const struct store *s, struct redis_conn *c, const struct stream_target *t,
                        const struct slice *events, size_t n, int64_t before, int64_t *ret_length,
                        struct err *err) warn_unused_result;

/* Writes fields of the job's hash. The deadline is for the gate (redis_pool_call). */
int store_job_set(const struct store *s, struct redis_pool *pool, int64_t deadline_ns,
                  const char *jid, int64_t ttl_s, const struct settle_field *fields, int n,
                  struct err *err) warn_unused_result;

#endif
