/*
 * Cancelling: a job is to end, whether it waits, runs, or no worker is up at all.
 *
 * What holds is a flag: an entry of the sorted set `sluice:cancelled` (jid by time). A message on
 * the channel `sluice:control` tells the workers at once; one that is not there to hear it reads
 * the set when it comes (back). Flags are kept for a day, at most STORE_CANCELLED_MAX of them, so a
 * job that is enqueued anew under the same jid within that day is stopped, too, unless the flag is
 * cleared.
 *
 * A job that waits is also taken out of where it waits, as far as it is found there.
 */
#ifndef SLUICE_STORE_CANCEL_H
#define SLUICE_STORE_CANCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum {
    STORE_CANCELLED_SECONDS = 86400,
    STORE_CANCELLED_MAX = 100000,
    STORE_CANCEL_LOOK_MAX = 100000, /* entries of each queue that are looked through */
};

/* Sets the flag and sends the message. May be repeated. */
int store_cancel(const struct store *s, struct redis_conn *c, const char *jid,
                 struct err *err) warn_unused_result;

/* All of it for one job: whether its record says that it runs, the flag, then what waits. */
struct cancellation {
    char *where;  /* "queue:default", "retry" …: taken out there; "" when it was not found */
    bool running; /* as far as it is tracked */
};
int store_cancel_job(const struct store *s, struct redis_conn *c, const char *jid, int64_t ttl_s,
                     int64_t max_payload, struct cancellation *ret,
                     struct err *err) warn_unused_result;
void cancellation_release(struct cancellation *c);

/* The jids that are flagged now: an array of strings. */
int store_cancelled(const struct store *s, struct redis_conn *c, struct reply **ret,
                    struct err *err) warn_unused_result;

/* Looks for a waiting job in schedule, retry and the queues that are in `queues`, and takes it out:
 * its record says stopped then. Of a queue the next STORE_CANCEL_LOOK_MAX jobs are looked at; one
 * further behind, longer than max_payload or claimed meanwhile, meets its flag. *ret_where: "" when
 * it was not found, else the key without prefix, to be freed. Many round trips, none of them long.
 */
int store_cancel_withdraw(const struct store *s, struct redis_conn *c, const char *jid,
                          int64_t ttl_s, int64_t max_payload, char **ret_where,
                          struct err *err) warn_unused_result;

#endif
