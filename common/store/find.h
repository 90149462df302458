/*
 * Finding a job by its jid where nothing is indexed by it. Private to the store.
 *
 * Redis looks for the bytes of the jid, and only what contains them is sent and parsed. (A jid that
 * JSON writes with escapes is found only in the form it has in memory.)
 *
 * Some round trips of a thousand elements each.
 */
#ifndef SLUICE_STORE_FIND_H
#define SLUICE_STORE_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

struct found {
    struct buf payload; /* empty: it was not found; owner releases it */
    bool tracked;       /* by itself */
    int64_t position;   /* in a list: how many were nearer to its tail, so run before it */
    double score;       /* in a sorted set */
    bool cut;           /* not found, and not all was looked at */
    int64_t looked;     /* elements */
};

/* In a list, from the tail, or in a sorted set; a key of another type has no jobs. max_payload:
 * longer ones are no jobs; max_look: elements that are looked at. */
int find_job(struct redis_conn *c, struct slice key, const char *jid, int64_t max_payload,
             int64_t max_look, struct found *ret, struct err *err) warn_unused_result;

#endif
