/*
 * The same for many jobs of a set as for one (store/sets.h): requeue or delete all, or those that
 * meet a filter. A bounded piece of work at a time; the caller comes back
 * with `next` until there is none.
 *
 * Each job is moved or deleted in one step of its own, so whatever breaks in between, none is lost
 * and none is done twice; what is added meanwhile may be done or not.
 *
 * An entry that is no job cannot go to a queue: it is skipped, and so is one whose queue is no
 * list. Without a filter such an entry is deleted like any other, of whatever size; with one it is
 * none of those that are meant.
 */
#ifndef SLUICE_STORE_SETS_BULK_H
#define SLUICE_STORE_SETS_BULK_H

#include "store/job_filter.h"
#include "store/sets.h"

enum {
    BULK_MAX = 1000,        /* jobs that a call does */
    BULK_LOOK_MAX = 10000,  /* entries that it looks at, about */
    BULK_CURSOR_BYTES = 48, /* with the NUL */
};

enum bulk_action { BULK_REQUEUE, BULK_DELETE };

struct bulk_order {
    enum job_set set;
    enum bulk_action action;
    struct job_filter filter;   /* empty: all */
    int64_t limit;              /* 1..BULK_MAX */
    const char *after;          /* what `next` was; NULL at first */
    int64_t max_payload, ttl_s; /* as of store_delete() */
};

struct bulk_result {
    int64_t done;
    int64_t skipped; /* none is missing; one may count twice, as a set shrinks under ZSCAN */
    int64_t left;    /* entries that were not looked at yet; 0 at the end */
    char next[BULK_CURSOR_BYTES]; /* "" at the end */
};

/* True for what `next` may have been. */
bool bulk_cursor_ok(const char *text);

/* -EMEDIUMTYPE when the set is none. */
int store_bulk(const struct store *s, struct redis_conn *c, const struct bulk_order *o,
               struct bulk_result *ret, struct err *err) warn_unused_result;

#endif
