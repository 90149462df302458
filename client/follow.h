/*
 * Following one job to its end: for sluice_client_follow(), `sluice follow` and `sluice enqueue
 * --wait`.
 *
 * Two connections: one listens for the hint that there is more, one reads. When Redis goes away,
 * both are opened anew, with pauses, and reading goes on at the event after the last one: nothing
 * is missed and nothing shown twice (store/job_view.h).
 *
 * Threads: one. Blocking: until the job's end, the deadline, or what the callback says.
 */
#ifndef SLUICE_CLIENT_FOLLOW_H
#define SLUICE_CLIENT_FOLLOW_H

#include <stdint.h>

#include "store/job_view.h"

struct follow {
    const struct store *store;
    const char *jid;
    int64_t after;      /* id of the last event seen; 0: from the start */
    int64_t timeout_ms; /* <= 0: none */
    /* Opens a connection, by the deadline at the latest. */
    int (*dial)(void *home, int64_t deadline_ns, struct redis_conn **ret, struct err *err);
    /* Once for each time that Redis cannot be reached; NULL: not wanted. */
    void (*away)(void *home, const struct err *why);
    void *home;
    /* Each event in order; NULL: not wanted. Anything but 0 ends it. */
    int (*event)(void *ctx, int64_t id, struct slice event);
    void *ctx;
};

/* Returns 0 with how the job ended; -ETIME when it has not in time; -ECANCELED when the callback
 * ended it; -EINVAL, -EACCES and the like when Redis refuses us. An unreachable Redis is waited
 * for. */
int follow_job(struct follow *f, enum job_end *ret_end, struct err *err) warn_unused_result;

#endif
