/*
 * Entries of a set of jobs that go to their queues by hand, many at once, each at most once: by
 * lua/promote.lua, which moves what is due. Private to the store.
 *
 * What waits in `retry` or `schedule` is only brought forward: its bytes stay as they are, and so
 * does an order to cancel it. What is dead begins anew (job/envelope.h), and such an order is
 * forgotten.
 */
#ifndef SLUICE_STORE_MOVE_H
#define SLUICE_STORE_MOVE_H

#include "job/envelope.h"
#include "store/sets.h"

struct slice job_set_key(const struct store *s, enum job_set set);

struct move {
    const struct store *s;
    enum job_set set;
    double now;              /* Redis' time */
    struct script_call call; /* and what it borrows: */
    struct command clear;    /* the orders to forget */
};

void move_begin(struct move *m, const struct store *s, enum job_set set, double now);
/* The payload that the envelope was parsed from stays until the end. -ENOMEM. */
int move_add(struct move *m, const struct envelope *e) warn_unused_result;
/* *ret_moved: how many; *ret_wrong: whose queue's key is no list. Others were there no longer. */
int move_run(struct move *m, struct redis_conn *c, int64_t *ret_moved, int64_t *ret_wrong,
             struct err *err) warn_unused_result;
void move_release(struct move *m);

/* The queue that it would go to; borrowed from the envelope. */
const char *move_queue(enum job_set set, const struct envelope *e);

#endif
