/*
 * Burying a job that was delivered too often: it kills its workers. From the dead worker's claim,
 * where recovery has left it, to `dead`, with the cause; what is no job as it came.
 *
 * Fenced, so it may be repeated after -ENOTCONN.
 */
#ifndef SLUICE_STORE_BURY_H
#define SLUICE_STORE_BURY_H

#include "store/lease.h"

/* identity: the dead worker's. now: Redis' time. A record or a stream that the job has ends with
 * it, and lives for another ttl_s. *ret_buried: false when somebody else has been there first, or
 * `dead` is no sorted set. */
int store_bury(const struct store *s, struct redis_conn *c, const char *identity,
               const struct suspect *suspect, double now, int64_t ttl_s, bool *ret_buried,
               struct err *err) warn_unused_result;

#endif
