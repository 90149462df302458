/*
 * TLS for a connection to Redis, in builds with hiredis_ssl; elsewhere it is refused by name.
 *
 * The SSL_CTX is our own, since hiredis' helper verifies the chain but never the host name:
 * protocol TLS 1.2 or later, the peer's certificate required, and its name (or address, when the
 * host is one) equal to the host that was dialled.
 *
 * Contexts. Loading certificates takes milliseconds, and a pool opens a hundred connections at
 * once; so the last context is kept for a minute and shared. After that minute the files are read
 * again: a rotated certificate needs no restart.
 *
 * Threads: safe from any thread; a mutex guards the kept context.
 */
#ifndef SLUICE_REDIS_TLS_H
#define SLUICE_REDIS_TLS_H

#include "redis/conn.h"

struct redisContext;

/* 0, or -EINVAL with the reason why these options cannot mean TLS here. */
int tls_check(const struct redis_options *options, struct err *err) warn_unused_result;

/* The handshake on a connected context, within the deadline. -EINVAL for files that cannot be
 * used, -ENOTCONN when the handshake or the verification failed. */
int tls_start(struct redisContext *redis, const struct redis_options *options, int64_t deadline_ns,
              struct err *err) warn_unused_result;

#endif
