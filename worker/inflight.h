/*
 * What this worker knows it has claimed: the sequence numbers of claims that are held, being made
 * or awaited by a blocking wait.
 *
 * Redis' registry of our claims is compared with this set. A claim in the registry that is not
 * here came about by a reply that was lost (or by the ghost of an old connection) and must be
 * adopted, or its jobs would wait until this process ends. So: a number is put here before Redis
 * hears of it, and taken away only when Redis has forgotten it or we have lost track of it.
 *
 * Threads: safe from any thread.
 */
#ifndef SLUICE_WORKER_INFLIGHT_H
#define SLUICE_WORKER_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"

struct inflight {
    struct mutex mutex;
    /* guards: everything below */
    uint64_t next_seq;
    uint64_t *known; /* unordered: a few hundred at most, so a plain array beats a table */
    size_t n;
    size_t cap;
};

void inflight_init(struct inflight *t);
void inflight_release(struct inflight *t);

/* A fresh number, known from now on. 0 without memory. */
uint64_t inflight_begin(struct inflight *t);
/* Makes a number known again (adoption). False when it already was: somebody else has it. */
bool inflight_adopt(struct inflight *t, uint64_t seq);
void inflight_end(struct inflight *t, uint64_t seq);
bool inflight_has(struct inflight *t, uint64_t seq);
size_t inflight_count(struct inflight *t);

#endif
