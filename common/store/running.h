/*
 * What runs now, by the reports of the processes that live, Sidekiq's too (`<identity>:work`): so
 * it is as old as they are, seconds. The longest-running first.
 *
 * Bounded, whatever there is: RUNNING_LOOK_MAX jobs are looked at, RUNNING_MAX of them kept, and of
 * each no more than RUNNING_BYTES is sent; Redis is asked in short steps. All are
 * counted. Of more jobs than are looked at, the oldest may be among the others.
 *
 * Each job is made into JSON once, since many want to read the same:
 *
 *     {"jid":…,"class":…,"queue":…,"worker":…,"started_at":…,"job":{…}}
 *
 * with "job" as the report shows it, and without it when that is no JSON object or too long. What
 * is not known is null.
 *
 * Reads only. Ownership: running_release() ends it; a zeroed one is empty.
 */
#ifndef SLUICE_STORE_RUNNING_H
#define SLUICE_STORE_RUNNING_H

#include "base/buf.h"
#include "store/store.h"

enum { RUNNING_MAX = 1000, RUNNING_LOOK_MAX = 10000, RUNNING_BYTES = 24576 };

struct running {
    int64_t total;
    struct buf text;         /* the jobs, with a comma between them */
    size_t end[RUNNING_MAX]; /* of each in the text */
    size_t n;
};

int store_running(const struct store *s, struct redis_conn *c, struct running *ret,
                  struct err *err) warn_unused_result;
void running_release(struct running *r);

/* Appends {"total":N,"jobs":[…]} with at most `limit` of them. */
void running_put(struct buf *out, const struct running *r, size_t limit);

#endif
