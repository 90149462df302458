/*
 * The fetcher: one claim, made by the executor whose turn it is, for all of them.
 *
 * It passes the gate, sends the finished jobs that are waiting and the claim in one write, and
 * hands what came back to dispatch. Queues are tried in strict order, or shuffled by weight anew
 * for each claim. When Redis refuses or is away, the claimer pauses with a jittered back-off (the
 * others sleep anyway).
 *
 * Threads: any executor; at most CLAIMERS_MAX at once, which dispatch sees to.
 */
#ifndef SLUICE_WORKER_FETCHER_H
#define SLUICE_WORKER_FETCHER_H

#include <stdatomic.h>

#include "worker/dispatch.h"
#include "worker/live.h"
#include "worker/oversize.h"
#include "worker/settler.h"

#define CLAIM_MAX_BYTES (INT64_C(4) << 20) /* of payload in one claim */

struct fetcher {
    const struct store *store;
    struct redis_pool *pool;
    struct dispatch *dispatch;
    struct settler *settler;
    struct inflight *inflight;
    struct heartbeat *heartbeat;
    struct live *live;
    struct oversize *oversize;
    void (*lost_reply)(void *ctx); /* a claim may exist that we do not know of */
    void *lost_reply_ctx;
    atomic_uint failures;              /* in a row, for the back-off */
    atomic_int_fast64_t wrong_said_ns; /* when queues of the wrong type were last named */
    atomic_uint_fast64_t claims, claimed;
};

/* Does the turn: claims up to want jobs and ends with dispatch_claimed(). */
void fetcher_claim(struct fetcher *f, struct sleeper *self, unsigned want);

#endif
