/*
 * Redis' time, asked for now and then instead of with every job: between two looks the monotonic
 * clock carries it on.
 *
 * Threads: none; whoever shares one guards it. Zero is one that has to ask.
 */
#ifndef SLUICE_STORE_STORE_CLOCK_H
#define SLUICE_STORE_STORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct store_clock {
    double redis_s; /* Redis' time … */
    int64_t at_ns;  /* … at this monotonic time; 0: not known yet */
};

/* False when it has to be asked for. */
bool store_clock_read(const struct store_clock *c, double *ret);
/* Asks: one round trip. May be repeated. */
int store_clock_ask(struct store_clock *c, struct redis_conn *conn,
                    struct err *err) warn_unused_result;

#endif
