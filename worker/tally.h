/*
 * The tally: how many jobs ended how, how long they ran and how long they had waited, by queue and
 * class, for /metrics.
 *
 * A run looks up its entry once and then only adds to it. Looking up reads a hash table without a
 * lock: entries are put there whole, under a mutex, and stay until the end. (Rejected: counters of
 * each executor's own, added up by the reader. Threads times classes times buckets is megabytes,
 * to save some 20 of the 40 ns that this costs a job.)
 *
 * Bounded, because classes come from whoever pushes jobs: after TALLY_PAIRS_MAX pairs of queue and
 * class further ones are counted under the class "_other" of their queue; after TALLY_QUEUES_MAX
 * queues (names come and go with reloads) under the queue "_other", too.
 *
 * Threads: safe from any thread; numbers read while others add are of slightly different moments.
 * Ownership: entries are the tally's and live as long as it.
 */
#ifndef SLUICE_WORKER_TALLY_H
#define SLUICE_WORKER_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/histogram.h"
#include "base/thread.h"

enum {
    TALLY_PAIRS_MAX = 200,
    TALLY_QUEUES_MAX = 256,
    TALLY_ENTRIES_MAX = TALLY_PAIRS_MAX + TALLY_QUEUES_MAX + 1, /* "_other" of each, and the rest */
    TALLY_PLACES = 1024, /* a power of two, more than twice the entries */
};

enum tally_outcome { TALLY_DONE, TALLY_FAILED, TALLY_DEAD, TALLY_STOPPED, TALLY_OUTCOMES };

struct tally_queue {
    const char *name;
    struct histogram latency; /* from enqueued_at to the start */
};

struct tally_entry {
    struct tally_queue *queue;
    const char *klass;
    atomic_bool has_output; /* a run of it had: another run of the same job may have had, too */
    /* By outcome, so that each also counts its runs and an end costs one addition less. */
    struct histogram duration[TALLY_OUTCOMES];
};

struct tally {
    struct tally_entry *_Atomic places[TALLY_PLACES]; /* open addressing */
    struct mutex mutex;                               /* guards: additions to all of this */
    atomic_uint npairs; /* of the entries, those that are no "_other" */
    /* Read without the mutex up to the count, which is raised last. */
    atomic_uint nentries, nqueues;
    struct tally_entry *entries[TALLY_ENTRIES_MAX];
    struct tally_queue *queues[TALLY_QUEUES_MAX + 1];
    struct tally_queue rest_queue; /* where memory or room ends; listed once it is used */
    struct tally_entry rest;
    bool rest_listed;
};

void tally_init(struct tally *t);
void tally_release(struct tally *t);

/* The entry of a pair, or the one that stands in for it. Never NULL. */
struct tally_entry *tally_find(struct tally *t, const char *queue, const char *klass);

/* Jobs that ended so, over all queues and classes. */
uint64_t tally_total(const struct tally *t, enum tally_outcome outcome);

/* All queues and classes together, since the start. */
struct tally_sums {
    uint64_t processed, failed; /* failed: of these, as stat:failed counts them */
    struct histogram duration, latency;
};
void tally_sum(const struct tally *t, struct tally_sums *ret);

/* A job starts that had waited for so long. */
static inline void tally_start(struct tally_entry *e, int64_t latency_ns)
{
    histogram_add_ns(&e->queue->latency, latency_ns);
}

static inline void tally_end(struct tally_entry *e, enum tally_outcome outcome, int64_t took_ns)
{
    histogram_add_ns(&e->duration[outcome], took_ns);
}

#endif
