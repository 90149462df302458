/*
 * The greeting: what a new connection says before it is anybody's: AUTH, SELECT, CLIENT SETNAME,
 * PING, as far as the options ask for them, in one write.
 *
 * Blocking: up to the connection's timeouts. Errors: as in redis/conn.h.
 */
#ifndef SLUICE_REDIS_GREETING_H
#define SLUICE_REDIS_GREETING_H

#include "redis/conn.h"

int greeting_say(struct redis_conn *c, const struct redis_options *o,
                 struct err *err) warn_unused_result;

#endif
