/*
 * Pausing a queue: nobody takes jobs from it until it is resumed; running ones go on. What holds is
 * the set `paused`, which workers ask with every claim. They are told all the same: one that sleeps
 * since a queue was paused looks at it again at once.
 *
 * May be repeated after -ENOTCONN.
 */
#ifndef SLUICE_STORE_PAUSE_H
#define SLUICE_STORE_PAUSE_H

#include <stdbool.h>

#include "store/store.h"

/* *ret_changed: it was not so before. */
int store_pause(const struct store *s, struct redis_conn *c, const char *queue, bool paused,
                bool *ret_changed, struct err *err) warn_unused_result;

#endif
