/*
 * Where a job is: everything that its jid leads to. For a person who has only that.
 *
 * Looked through are `schedule` and `retry`, the queues that are in `queues` (and what is on trial
 * there), what the processes have in hand, and `dead`: in the order in which jobs go, so that one
 * which moves meanwhile is rather seen twice than missed. Each place tells of the job once.
 *
 * Bounded: SEARCH_LOOK_MAX elements of each queue and set, SEARCH_TOTAL_MAX of all; what that
 * leaves out is told. Many round trips, none of them long. Reads only.
 */
#ifndef SLUICE_STORE_SEARCH_H
#define SLUICE_STORE_SEARCH_H

#include "base/buf.h"
#include "store/store.h"

enum { SEARCH_LOOK_MAX = 10000, SEARCH_TOTAL_MAX = 200000 };

/* Appends {"jid":…,"record":{…} or null,"events":N,"found":[…],"truncated":…} with, for each place,
 * {"in":…,"score":…,"position":…,"worker":…,"job":{…}}: "in" is "queue:NAME", "trial:NAME",
 * "retry", "schedule", "dead" or "running"; a job that is too long to be shown is null, with its
 * "bytes". */
int store_put_search(const struct store *s, struct redis_conn *c, const char *jid,
                     int64_t max_payload, struct buf *out, struct err *err) warn_unused_result;

#endif
