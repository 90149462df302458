/*
 * The control channels: `sluice:control`, which every worker hears, and
 * `sluice:control:<identity>`, which one does. A message is a JSON object with a `cmd`. It is a
 * hint: what must hold is in keys (store/cancel.h, `paused`).
 */
#ifndef SLUICE_STORE_CONTROL_H
#define SLUICE_STORE_CONTROL_H

#include <stdbool.h>

#include "store/store.h"

/* Subscribes a worker's connection, which is used for nothing else from then on, to both. */
int store_control_subscribe(const struct store *s, struct redis_conn *c,
                            struct err *err) warn_unused_result;
/* Asks a subscribed connection for a sign of life; the answer comes among the messages. */
int store_control_ping(struct redis_conn *c) warn_unused_result;
/* True when the reply is a message; *ret borrows its text. */
bool store_control_message(const struct reply *reply, struct slice *ret);

/* To one worker (identity) or to all (NULL). *ret_heard: how many connections it reached. */
int store_control_send(const struct store *s, struct redis_conn *c, const char *identity,
                       struct slice message, int64_t *ret_heard,
                       struct err *err) warn_unused_result;

#endif
