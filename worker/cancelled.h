/*
 * The jids that are to end, as this worker knows them: a copy of `sluice:cancelled`, kept by
 * worker/control. Asked once for each job that starts, so the empty set, which is the rule, costs
 * one load.
 *
 * Threads: all functions from any thread. Ownership: copies.
 */
#ifndef SLUICE_WORKER_CANCELLED_H
#define SLUICE_WORKER_CANCELLED_H

#include <stdatomic.h>

#include "base/slice.h"
#include "base/thread.h"
#include "redis/reply.h"

struct cancelled {
    atomic_size_t n;
    atomic_bool known;  /* Redis has been asked, or nobody may wait for that any more */
    struct mutex mutex; /* guards: below, and changes of those above */
    struct cond changed;
    char **jids; /* sorted */
    size_t cap;
};

void cancelled_init(struct cancelled *c);
void cancelled_release(struct cancelled *c);

/* Waits until it is known what is flagged, at most so long; after that nobody waits again. No job
 * may start before: it may have been cancelled while no worker was up. */
void cancelled_wait_known(struct cancelled *c, int64_t max_ms);

bool cancelled_has(struct cancelled *c, const char *jid);
/* -ENOMEM. */
int cancelled_add(struct cancelled *c, const char *jid) warn_unused_result;
/* Everything that is flagged in Redis; a jid that is here and not there is forgotten. */
int cancelled_replace(struct cancelled *c, const struct reply *jids) warn_unused_result;

#endif
