/*
 * Settling: how claimed jobs end, many in one round trip (lua/settle.lua).
 *
 * A batch is filled with operations and sent alone (store_settle) or ahead of a claim in the same
 * write (store_claim), so that acks ride along for free. Each operation is fenced: when the job
 * no longer lies in its claim, nothing is written and its result says so.
 *
 * After -ENOTCONN the batch may or may not have been applied; sending it again is safe, because
 * what has been settled is not settled twice, but the results of the second time then read
 * SETTLE_LOST for what the first time did. Only the caller can tell these apart.
 *
 * Ownership: slices and strings are borrowed until the batch was sent. Threads: none.
 */
#ifndef SLUICE_STORE_SETTLE_H
#define SLUICE_STORE_SETTLE_H

#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

enum settle_result {
    SETTLE_NOT_ALL = -2,   /* the claim holds more jobs than these: nothing was written */
    SETTLE_WRONGTYPE = -1, /* the target key holds another type: the job stays in its claim */
    SETTLE_LOST = 0,       /* no longer ours: nothing was written */
    SETTLE_WRITTEN = 1,
};

enum settle_where { SETTLE_RETRY, SETTLE_DEAD, SETTLE_QUEUE, SETTLE_DROP };
enum settle_stats { SETTLE_UNCOUNTED, SETTLE_PROCESSED, SETTLE_FAILED };

struct settle_batch {
    struct script_call call;
    int n; /* operations that have a result */
};

/* Starts (or restarts) a batch for the claims of `identity`: the store's own when NULL, or a dead
 * worker's. now: Redis' time, for the day that figures are counted under. */
void settle_begin(struct settle_batch *b, const struct store *s, const char *identity, double now);
void settle_release(struct settle_batch *b);

void settle_ack(struct settle_batch *b, uint64_t seq, unsigned index);
/* The last `count` unsettled jobs of the claim are all done. When Redis finds more in it (it has
 * lost writes, or a job was refused), the result is SETTLE_NOT_ALL: then ack each by its index. */
void settle_ack_claim(struct settle_batch *b, uint64_t seq, unsigned count);
/* delay_s counts for SETTLE_RETRY, queue for SETTLE_QUEUE; payload is what is written there. */
void settle_move(struct settle_batch *b, uint64_t seq, unsigned index, enum settle_where where,
                 enum settle_stats stats, double delay_s, const char *queue, struct slice payload);

/* One field of a tracked job's hash. */
struct settle_field {
    const char *name;
    struct slice value;
};

/* Where a record is written: RECORD_FOUND only adds to keys that exist, for a job of which an
 * earlier run may have had output or been followed. */
enum record_where { RECORD_ALWAYS, RECORD_FOUND };

/* Belongs to the operation before it: written only when that is. event: one JSON value appended
 * to the job's stream, or empty. n may be 0. */
void settle_record(struct settle_batch *b, const char *jid, int64_t ttl_s, enum record_where where,
                   struct slice event, const struct settle_field *fields, int n);

/* Sends the batch; ret_results has room for b->n. */
int store_settle(struct redis_conn *c, const struct settle_batch *b, int8_t *ret_results,
                 struct err *err) warn_unused_result;

/* Reads the results out of a reply to the batch's call. */
int settle_results(const struct settle_batch *b, const struct reply *reply, int8_t *ret_results,
                   struct err *err) warn_unused_result;

#endif
