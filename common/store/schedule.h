/*
 * The schedule: `schedule` and `retry` are sorted sets of payloads by due time, shared with
 * Sidekiq's own processes. Whatever is due moves to its queue, by Redis' clock, each entry once
 * however many pollers race (lua/due.lua, lua/promote.lua). An entry that is too large to be read
 * goes to dead when it is due.
 *
 * Promoting is two round trips, since only C can splice a payload: read what is due, then move
 * each entry if it is still there. Both may be repeated after -ENOTCONN.
 */
#ifndef SLUICE_STORE_SCHEDULE_H
#define SLUICE_STORE_SCHEDULE_H

#include "store/store.h"
#include "store/unread.h"

enum due_set { DUE_SCHEDULE, DUE_RETRY, DUE_SETS };

struct promotion {
    struct reply *reply;        /* owner frees */
    const struct reply *unread; /* moved to dead for their size: store/unread.h; in the reply */
    uint64_t moved;             /* to queues */
    uint64_t buried;            /* to dead, because they are no jobs */
    uint64_t stuck;             /* the target key holds another type: still in the set */
    bool more;                  /* there may be more due right now */
};

/* When something is due in each set, by Redis' clock: seconds from now, 0 when it is due, < 0 when
 * nothing is within the horizon. No entry is read for it, so it may be asked often: where neither
 * set exists it is one command, else two round trips. */
int store_next_due(const struct store *s, struct redis_conn *c, double horizon_s,
                   double ret_in[DUE_SETS], struct err *err) warn_unused_result;

/* Moves at most 100 due entries or 4 MiB (one entry at least) of one set, after passing over `skip`
 * entries: those found stuck by earlier calls, so that they hold up nobody behind them.
 * -EMEDIUMTYPE when the set's own key holds another type. */
int store_promote(const struct store *s, struct redis_conn *c, enum due_set set, uint64_t skip,
                  int64_t max_payload, struct promotion *ret, struct err *err) warn_unused_result;

#endif
