/*
 * Taking a job out of where it waits (a queue, `schedule` or `retry`), so that it does not run: by
 * lua/withdraw.lua, which also ends its record and its stream, for whoever follows it. Private to
 * the store: cancelling and deleting differ in the cause.
 *
 * May be repeated after -ENOTCONN: a job that is not there is passed over.
 */
#ifndef SLUICE_STORE_WITHDRAW_H
#define SLUICE_STORE_WITHDRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* The cause of what is deleted. */
#define STORE_DELETED_CLASS "Deleted"
#define STORE_DELETED       "deleted before it ran"

struct withdrawal {
    struct slice key;     /* where it waits */
    struct slice payload; /* borrowed until the call has run, as are the texts */
    const char *jid;
    bool tracked;  /* by itself */
    double now;    /* Redis' time */
    int64_t ttl_s; /* of what is kept of it */
    const char *error_class, *error;
};

/* Makes the call, for script_run() and script_run_all(). The reply is 1 when it was still there. */
void withdraw_begin(struct script_call *call, const struct store *s, const struct withdrawal *w);

/* One by itself. */
int withdraw(const struct store *s, struct redis_conn *c, const struct withdrawal *w,
             bool *ret_withdrawn, struct err *err) warn_unused_result;

#endif
