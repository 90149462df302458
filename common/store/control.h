/*
 * The control channels: `sluice:control`, which every worker hears, and
 * `sluice:control:<identity>`, which one does. A message is an order (store/order.h). It is a hint:
 * what must hold is in keys (store/wanted.h, store/cancel.h, store/pause.h), whose owners send it.
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

#endif
