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

/* A page of a stream, bounded in bytes (one event at least), and what else tells whether more will
 * come. The slices are borrowed from the reply, which is the caller's to free. */
struct stream_page {
    struct reply *reply;
    int64_t length;     /* of the stream */
    struct slice state; /* of the record, or empty */
    struct slice last;  /* the last event when there is none after these, else empty */
    size_t n;           /* events: stream_page_event() */
};
int store_stream_page(const struct store *s, struct redis_conn *c, const char *jid, int64_t after,
                      int64_t max, int64_t max_bytes, struct stream_page *ret,
                      struct err *err) warn_unused_result;
struct slice stream_page_event(const struct stream_page *page, size_t i);

/* Subscribes a connection that is used for nothing else to the stream's channel. */
int store_stream_subscribe(const struct store *s, struct redis_conn *c, const char *jid,
                           struct err *err) warn_unused_result;

/* How a job came to its end. */
enum job_end { JOB_GOES_ON, JOB_COMPLETED, JOB_FAILED, JOB_STOPPED, JOB_DEAD };

/* How the job ended by a page of what follows `after`: by its last event, else (*ret_silent) by its
 * record, for a handler may keep no output. JOB_GOES_ON while events follow the page. */
enum job_end stream_page_end(const struct stream_page *page, int64_t after, bool *ret_silent);
/* Learns from an event: the final one, {"type":"status",…}, says how the job ended; a marker,
 * {"type":"attempt",…}, that it runs (again). Any other leaves *end as it is. */
void job_end_learn(enum job_end *end, struct slice event);
/* Of the state in a record. */
enum job_end job_end_of_state(struct slice state);
/* "completed", …; "" while it goes on. */
const char *job_end_name(enum job_end end);

#endif
