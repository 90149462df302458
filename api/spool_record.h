/*
 * What a request is in the spool: the body of a frame (api/spool_frame.h), and back again.
 *
 * A record holds the jobs as they will lie in Redis, and what makes their replay happen once: the
 * run of the process that took them, the client's Idempotency-Key with what is kept under it, and,
 * if the request may have reached Redis before it was spooled, the slot and number that it was sent
 * under (api/spool.h).
 *
 * Threads: pure functions. Ownership: what is read borrows from the bytes; a batch owns its copy.
 */
#ifndef SLUICE_API_SPOOL_RECORD_H
#define SLUICE_API_SPOOL_RECORD_H

#include "store/job_batch.h"

enum { SPOOL_RUN = 24, SPOOL_NO_SLOT = UINT16_MAX };

struct spool_record {
    struct slice run;    /* SPOOL_RUN hex digits */
    unsigned slot;       /* SPOOL_NO_SLOT: it has never been sent */
    int64_t number;      /* in that slot */
    int64_t accepted_us; /* Unix time, by the clock of this machine */
    struct slice key;    /* empty: none */
    struct slice kept;   /* under the key */
    size_t njobs;
};

/* -ENOMEM. */
int spool_record_put(struct buf *out, const struct spool_record *r,
                     const struct job_batch *b) warn_unused_result;

/* batch, which begins empty, gets the jobs; NULL: they are only counted. -EBADMSG when it is none,
 * -ENOMEM. */
int spool_record_read(struct slice body, struct spool_record *ret,
                      struct job_batch *batch) warn_unused_result;

#endif
