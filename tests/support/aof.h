/*
 * The append-only file of a redis_server, as a power cut or a full disk would leave it.
 *
 * Redis 7 keeps a folder of a base and increments; all that a short-lived test writes lies in the
 * first increment, and that is the file meant here. The server must run with --appendonly yes.
 *
 * A file is changed while the server is down. A limit is for a server that runs: it holds for each
 * of its files, and a write beyond it fails as on a full disk (redis_server ignores SIGXFSZ, the
 * signal that would say so), without a file system of its own and without root.
 *
 * Threads: one. Each step fails the test when it cannot be done.
 */
#ifndef SLUICE_TESTS_AOF_H
#define SLUICE_TESTS_AOF_H

#include <stdint.h>

#include "base/slice.h"
#include "support/redis_server.h"

int64_t aof_size(const struct redis_server *s);

/* Cuts the file back to this size. */
void aof_cut(const struct redis_server *s, int64_t size);

/* The whole file; free() its p. */
struct slice aof_read(const struct redis_server *s);
/* Puts these bytes in its place. */
void aof_write(const struct redis_server *s, struct slice bytes);

/* Files may not grow beyond this size from now on; aof_unlimited() takes that back. */
void aof_limit(const struct redis_server *s, int64_t size);
void aof_unlimited(const struct redis_server *s);

#endif
