/*
 * Redis Sentinel: where the master is, asked for each connection anew.
 *
 * Model. The sentinels of the options are asked in turn, first the one that led to a master last.
 * To the master that it names a connection is opened and asked for its ROLE; when it cannot be
 * reached or is none (any more), the next sentinel may know better. When none has led to a master,
 * Redis cannot be reached, and the pool's back-off decides when all of them are asked again.
 *
 * Nothing that a sentinel said is kept. (Rejected: an address that is asked for again after a
 * failure. It saves one round trip for connections that are opened once and used for minutes, and
 * there is no failure to notice when the old master lives on, cut off from the sentinels only.) A
 * connection that is open stays until its server is demoted or falls silent: a server that a
 * partition has cut off from its sentinels keeps those who still reach it, which is why Redis has
 * min-replicas-to-write.
 *
 * Each sentinel, with the attempt at its master, has an equal share of the time that is left, and
 * at most half of its share for the answer: a slow one does not cost the deadline.
 *
 * Sentinels are spoken to without TLS; that of rediss+sentinel:// is for the master, whose
 * certificate must be for the name or the address that the sentinels announce.
 *
 * Threads: any. Which sentinel comes first is a hint that all share. Blocking: until the
 * deadline. Errors: -ENOTCONN with what each sentinel came to; -EACCES when one refused our
 * credentials, or its master did; -ENOMEM.
 */
#ifndef SLUICE_REDIS_SENTINEL_H
#define SLUICE_REDIS_SENTINEL_H

#include "redis/conn.h"

/* A connection to the master, for redis_conn_open(): use that one. */
int sentinel_open(const struct redis_options *options, int64_t deadline_ns, struct redis_conn **ret,
                  struct err *err) warn_unused_result;

#endif
