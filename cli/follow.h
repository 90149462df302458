/*
 * Following one job to its end, for `sluice follow` and `sluice enqueue --wait`.
 *
 * Two connections: one listens for the hint that there is more, one reads. When Redis goes away,
 * both are opened anew, with pauses, and reading goes on at the event after the last one: nothing
 * is missed and nothing shown twice (store/job_view.h).
 *
 * Threads: one. Blocking: until the job's end, the deadline, or what the callback says.
 */
#ifndef SLUICE_CLI_FOLLOW_H
#define SLUICE_CLI_FOLLOW_H

#include <stdint.h>

#include "cli/session.h"
#include "store/job_view.h"

struct follow {
    const struct session *session;
    const char *jid;
    int64_t after;      /* id of the last event seen; 0: from the start */
    int64_t timeout_ms; /* <= 0: none */
    /* Each event in order; NULL: not wanted. */
    void (*event)(void *ctx, int64_t id, struct slice event);
    void *ctx;
};

/* Returns 0 with how the job ended; -ETIME when it has not in time; -EINVAL, -EACCES and the like
 * when Redis refuses us. An unreachable Redis is waited for. */
int follow_job(struct follow *f, enum job_end *ret_end, struct err *err) warn_unused_result;

#endif
