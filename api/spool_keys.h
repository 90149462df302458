/*
 * Where in a segment the request of an Idempotency-Key lies. Some 80 bytes a request: only the
 * digest of the key and the place; what is kept under it is read from the file, for as long as that
 * is there.
 *
 * Threads: none; whoever holds it guards it.
 */
#ifndef SLUICE_API_SPOOL_KEYS_H
#define SLUICE_API_SPOOL_KEYS_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct spool_keys {
    void *root; /* of a tree, see tsearch(3) */
};

struct spool_key {
    unsigned char digest[16];
    int64_t offset;
};

/* -EIO when there is no digest. */
int spool_key_of(struct slice key, int64_t offset, struct spool_key *ret) warn_unused_result;

/* NULL when it is not there. */
const struct spool_key *spool_keys_find(const struct spool_keys *k, const struct spool_key *key);
/* One that was there is replaced. Without memory for it, it is not known: a second request under
 * the key gets jids of its own in its answer, and the replay finds that it is the second. */
void spool_keys_put(struct spool_keys *k, const struct spool_key *key);
void spool_keys_release(struct spool_keys *k);

#endif
