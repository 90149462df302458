/*
 * A batch of the replay (api/spool_replay.c): what is sent to Redis at once, read from the oldest
 * segment, whose end it also sees to.
 *
 * Its requests form a chain: each has its place in the folder for its number, and the number before
 * it for its floor, so that none is enqueued when the one before it was not. What was sent under a
 * slot before it was spooled has that as its guard, and goes alone.
 *
 * Threads: of the replay. Ownership: what is in a batch is valid until it is cleared.
 */
#ifndef SLUICE_API_SPOOL_BATCH_H
#define SLUICE_API_SPOOL_BATCH_H

#include "api/once.h"
#include "api/spool_parts.h"

enum { SPOOL_BATCH = STORE_ENQUEUE_MAX };

struct spool_item {
    struct spool_record record;
    struct spool_position at, next; /* where it lies, and the one behind it */
    struct job_batch jobs;
    char guard[SPOOL_RUN + 16];
    char key[ONCE_KEY_MAX + 1];
};

struct spool_batch {
    struct spool *s;
    struct spool_cursor cursor; /* fd -1: not open */
    uint64_t segment;           /* that it reads */
    struct spool_item item[SPOOL_BATCH];
    struct enqueue each[SPOOL_BATCH]; /* of the items */
    int n;
};

void spool_batch_init(struct spool_batch *b, struct spool *s);
void spool_batch_release(struct spool_batch *b);

/* From the position on; none when something else had to be done first. Segments that have been
 * replayed are retired. */
int spool_batch_read(struct spool_batch *b, struct err *err) warn_unused_result;
void spool_batch_clear(struct spool_batch *b);

#endif
