/*
 * What is wanted of workers: orders that last (store/order.h), written down before they are told.
 *
 * `sluice:wanted:<identity>` is of one worker, `sluice:wanted` of all and of those to come. Each
 * field is a thing that can be wanted ("state", or a setting) and holds the number of the order and
 * its value. Numbers only grow, over both keys, and over a Redis that has lost them, since they
 * are not below its clock in microseconds. A worker obeys an order about a thing when its number
 * is above that of the last one it obeyed about it: so it does not matter in which order, how late
 * or how often it hears of them, and one that was not there to hear reads them when it comes back.
 *
 * quiet, resume and stop are of the workers that are there, also when given to all: one that starts
 * later is none of those meant. What is set for all holds for those, too.
 *
 * An order to a worker without a lease is refused, and what is wanted of a worker goes with its
 * registration (recover.lua), so there is never more of it than there are workers.
 */
#ifndef SLUICE_STORE_WANTED_H
#define SLUICE_STORE_WANTED_H

#include "store/order.h"
#include "store/store.h"

/* As long as nobody touches it; longer than a worker can be away without having been recovered. */
enum { STORE_WANTED_SECONDS = 86400 };

struct given {
    struct reply *reply; /* identities borrow from it: reply_free() */
    uint64_t number;
    int64_t heard; /* connections that were told */
    size_t n;      /* live workers it is for */
};
struct slice given_identity(const struct given *g, size_t i);

/* Writes it down and tells it, at once: quiet, resume, stop or set; a ping is only told. To one
 * worker, or to all (NULL). -ENOENT when there is no such worker. After -ENOTCONN it may have been
 * given, and giving it again does no harm. */
int store_order_give(const struct store *s, struct redis_conn *c, const char *identity,
                     const struct order *o, struct given *ret, struct err *err) warn_unused_result;

/* The orders of quiet, resume and stop, and of each setting, that count for this worker. */
struct wanted {
    uint64_t state_number; /* 0: nothing was ordered; likewise below */
    enum order_cmd state;
    uint64_t number[ORDER_SETTINGS];
    int value[ORDER_SETTINGS];
    bool odd; /* something is written there that is none; it is left out */
};
/* Two reads in one round trip. -EMEDIUMTYPE. */
int store_wanted_read(const struct store *s, struct redis_conn *c, struct wanted *ret,
                      struct err *err) warn_unused_result;

#endif
