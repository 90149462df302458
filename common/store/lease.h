/*
 * Leases and recovery: who is alive, and what becomes of the jobs of who is not.
 *
 * A worker renews its lease (a key with a time to live) from a thread and connection of its own.
 * When the lease is gone, any other worker may give its claims back to their queues (lua/
 * recover.lua), after making sure that it was the worker that stopped and not Redis (a stall
 * lets every lease lapse at once): that rule lives in worker/reaper.
 *
 * All calls may be repeated after -ENOTCONN.
 */
#ifndef SLUICE_STORE_LEASE_H
#define SLUICE_STORE_LEASE_H

#include <stdint.h>

#include "store/store.h"
#include "store/unread.h"

struct lease_state {
    bool was_alive;  /* false: it had lapsed (or never existed) before this renewal */
    uint64_t claims; /* entries in our registry */
    double now;      /* Redis' time */
};

int store_lease_renew(const struct store *s, struct redis_conn *c, int64_t lease_ms,
                      struct lease_state *ret, struct err *err) warn_unused_result;

/* The same by one plain command that learns nothing else: an idle worker does little but this.
 * *ret_alive false: it has lapsed, and only store_lease_renew() brings it back. */
int store_lease_extend(const struct store *s, struct redis_conn *c, int64_t lease_ms,
                       bool *ret_alive, struct err *err) warn_unused_result;

/* Identities of other workers that may hold claims and have no lease. Free each and the array. */
int store_lapsed_workers(const struct store *s, struct redis_conn *c, char ***ret, size_t *ret_n,
                         struct err *err) warn_unused_result;

/* Workers that have a lease, this one included: the live replicas. */
int store_live_workers(const struct store *s, struct redis_conn *c, size_t *ret_n,
                       struct err *err) warn_unused_result;

enum recover_state {
    RECOVER_LATE = -2,  /* Redis took too long to get to it: nothing was touched */
    RECOVER_ALIVE = -1, /* it has a lease: nothing was touched */
    RECOVER_DONE = 0,   /* no claims are left, the worker is removed */
    RECOVER_MORE = 1,   /* call again */
    RECOVER_REMAINS = 2 /* claims are left: suspects, or queues of the wrong type */
};

/* A job that was delivered too often. It still lies in the dead worker's claim: bury it by
 * settle_begin(identity) + settle_move(SETTLE_DEAD). */
struct suspect {
    uint64_t seq;
    unsigned index;
    struct slice queue;
    struct slice payload; /* borrowed from the reply */
};

struct recovered {
    struct reply *reply; /* owner frees */
    enum recover_state state;
    uint64_t moved;
    size_t nwrong; /* keys of another type than what their jobs need, which stay where they are */
    size_t nsuspects;
    const struct reply *unread; /* moved to dead for their size: store/unread.h */
};

/* identity NULL: our own claims, without regard to the lease and without counting deliveries.
 * not_after: Redis' time after which leases may have lapsed by a stall; ignored for our own.
 * Elements larger than max_payload go to dead. */
int store_recover(const struct store *s, struct redis_conn *c, const char *identity,
                  double not_after, int64_t max_payload, struct recovered *ret,
                  struct err *err) warn_unused_result;
struct suspect recovered_suspect(const struct recovered *r, size_t i);
struct slice recovered_wrong(const struct recovered *r, size_t i);

#endif
