/*
 * The greeting: what a new connection says before it is anybody's, and what may be answered.
 *
 * Blocking: up to the timeouts of the connection. Errors: as redis_conn_open().
 */
#ifndef SLUICE_REDIS_GREET_H
#define SLUICE_REDIS_GREET_H

#include "redis/conn.h"

/* Logs in, selects, names itself, and asks whether the server works and is what is wanted. */
int greet(struct redis_conn *c, const struct redis_options *options,
          struct err *err) warn_unused_result;

#endif
