/*
 * One job as its followers see it: the hash `sluice:job:<jid>` and the stream
 * `sluice:stream:<jid>`. Reads only.
 *
 * Following. The channel of the stream's name carries its new length, which is a hint and no more:
 * pub/sub promises nothing. So a follower subscribes first, reads the list from where it is, waits
 * for a message or a second, and reads again: then nothing is missed and nothing seen twice. The
 * index of an event in the list, from 1, is its id.
 */
#ifndef SLUICE_STORE_JOB_VIEW_H
#define SLUICE_STORE_JOB_VIEW_H

#include <stdbool.h>

#include "store/store.h"

/* HGETALL: reply_field() reads it; empty when the job is not tracked or its record has expired. */
int store_job_read(const struct store *s, struct redis_conn *c, const char *jid, struct reply **ret,
                   struct err *err) warn_unused_result;

/* Events after the given id, at most max of them. */
int store_stream_read(const struct store *s, struct redis_conn *c, const char *jid, int64_t after,
                      int64_t max, struct reply **ret, struct err *err) warn_unused_result;

/* Subscribes a connection that is used for nothing else to the stream's channel. */
int store_stream_subscribe(const struct store *s, struct redis_conn *c, const char *jid,
                           struct err *err) warn_unused_result;

/* How a job came to its end. */
enum job_end { JOB_GOES_ON, JOB_COMPLETED, JOB_FAILED, JOB_STOPPED, JOB_DEAD };

/* Learns from an event: the final one, {"type":"status",…}, says how the job ended; a marker,
 * {"type":"attempt",…}, that it runs (again). Any other leaves *end as it is. */
void job_end_learn(enum job_end *end, struct slice event);
/* Of the state in a record. */
enum job_end job_end_of_state(struct slice state);
/* "completed", …; "" while it goes on. */
const char *job_end_name(enum job_end end);

#endif
