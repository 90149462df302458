/*
 * The store: the only owner of Redis key names and Lua. docs/KEYS.md lists every key.
 *
 * Every transition of a job is one script (lua/), so a job is at every instant in exactly one
 * place, from the push to the ack. Store functions take a connection that the caller got through
 * the gate (or owns privately) and do one round trip, unless they say otherwise; they never sleep
 * and never retry. What may be repeated after -ENOTCONN is said at each function.
 *
 * A store is two constant texts, the key prefix and the identity of this process, with the key
 * names made from them. Threads: immutable after store_new(), so all functions are safe from any
 * thread, as far as their connection is.
 */
#ifndef SLUICE_STORE_STORE_H
#define SLUICE_STORE_STORE_H

#include "base/err.h"
#include "base/slice.h"
#include "redis/conn.h"
#include "redis/script.h"

struct store;

/* identity: "host:pid:12 hex digits" of a worker; NULL for a command, which claims nothing. */
int store_new(const char *prefix, const char *identity, struct store **ret) warn_unused_result;
void store_free(struct store *s); /* accepts NULL */

const char *store_identity(const struct store *s);

/* Redis' own time, for what must be compared with times in Redis. */
int store_time(struct redis_conn *c, double *ret_now, struct err *err) warn_unused_result;

/* What an element of a claim reads once it is settled. It is no JSON, so no job can equal it; an
 * element that is pushed with exactly these bytes counts as settled from the start. */
#define STORE_TOMBSTONE "\0settled"

/* Recovered this often within three days, a job is buried: it kills its workers. */
enum { STORE_DELIVERIES_ALLOWED = 3, STORE_DELIVERIES_SECONDS = 259200 };

#endif
