/*
 * The sets of jobs that wait or are dead (`retry`, `schedule`, `dead`): read page by page, and one
 * job found, requeued or deleted by its jid.
 *
 * A page may be shorter than asked for, so that a few large jobs do not make it huge: the next one
 * begins behind the last entry. What is longer than JOB_SHOWN_MAX is told by its length alone.
 *
 * Finding by jid is a search through the whole set, in round trips of a thousand; `dead` is
 * bounded. An entry that is no job, or has no jid, is not found so.
 */
#ifndef SLUICE_STORE_SETS_H
#define SLUICE_STORE_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

enum job_set { JOBS_RETRY, JOBS_SCHEDULE, JOBS_DEAD };

enum { JOB_SHOWN_MAX = 65536, JOB_PAGE_BYTES = 1 << 20, JOB_PAGE_MAX = 1000 };

/* Some of the entries: the soonest first; of the dead, those that died last. -EMEDIUMTYPE. */
struct job_page {
    struct reply *reply; /* entries borrow from it */
    int64_t total;       /* entries in the set */
    size_t n;            /* in the page; at least one, unless there is none behind the offset */
};
int store_page(const struct store *s, struct redis_conn *c, enum job_set set, int64_t offset,
               int64_t limit, struct job_page *ret, struct err *err) warn_unused_result;
void job_page_release(struct job_page *page); /* accepts a zeroed one */

struct job_entry {
    struct slice payload; /* as it lies there; empty when it is too long … */
    int64_t bytes;        /* … and then its length */
    double score;
};
struct job_entry job_page_at(const struct job_page *page, size_t i);
/* {"score":…,"jid":…,"job":{…}}, as below. */
void job_entry_put(struct buf *out, const struct job_entry *entry);

/* The same as JSON. Appends
 * {"total":N,"offset":…,"next":… or null,"jobs":[{"score":…,"jid":…,"job":{…}}, …]}
 * where "job" is the payload as it lies there; one that is no JSON is a string under "raw", one
 * that is too long is null with its "bytes". -EMEDIUMTYPE. */
int store_put_page(const struct store *s, struct redis_conn *c, enum job_set set, int64_t offset,
                   int64_t limit, struct buf *out, struct err *err) warn_unused_result;

/* Takes the job to its queue now. One that is dead begins as new, with all its retries before it,
 * and an order to cancel it is forgotten; what it failed of stays to be read. Of the others every
 * byte stays, and so does an order. *ret_queue: its name, to be freed. -ENOENT when there is no
 * such job (any more), -EMEDIUMTYPE when the queue is no list. */
int store_requeue(const struct store *s, struct redis_conn *c, enum job_set set, const char *jid,
                  int64_t max_payload, char **ret_queue, struct err *err) warn_unused_result;

/* Deletes the job, without an order to cancel it: another of the same jid may run. One that would
 * have run is stopped in its record and its stream, which live for another ttl_s. -ENOENT likewise.
 */
int store_delete(const struct store *s, struct redis_conn *c, enum job_set set, const char *jid,
                 int64_t ttl_s, int64_t max_payload, struct err *err) warn_unused_result;

#endif
