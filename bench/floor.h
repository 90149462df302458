/*
 * The floor of a worker: a client of our own that makes the same store calls (a batch of acks and
 * a claim of 100 in one write, every job in Redis until acked) and does nothing with the jobs: no
 * parsing, no handler, no hand-off.
 *
 * A replica is an identity with a lease, and some connections, each with a thread of its own. All
 * of them are of this process, which therefore must do nothing else meanwhile.
 *
 * Every failure ends the program with one line (lab.h).
 */
#ifndef SLUICE_BENCH_FLOOR_H
#define SLUICE_BENCH_FLOOR_H

#include "lab.h"

enum { FLOOR_BATCH = 100, FLOOR_REPLICAS_MAX = 64, FLOOR_CONNS_MAX = 4 };

struct floor_load {
    int replicas, conns; /* of each replica */
    const char *const *queues;
    int nqueues;
    int64_t jobs; /* to take; fails when there are fewer */
};

/* What was taken may be some claims more than was asked for. */
struct lab_drain floor_drain(struct lab *lab, const struct floor_load *load);

#endif
