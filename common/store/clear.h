/*
 * Clearing a queue: all that waits in it is deleted, at once.
 *
 * Rejected: the other ways to be rid of jobs (cancelling, letting them expire) leave a trace of
 * each job; a queue that is cleared leaves none, as when its list is deleted by hand. Jobs that a
 * worker has claimed are not in the queue any more.
 *
 * May be repeated after -ENOTCONN; the count is of the last call then.
 */
#ifndef SLUICE_STORE_CLEAR_H
#define SLUICE_STORE_CLEAR_H

#include "store/store.h"

/* How many wait. -EMEDIUMTYPE when its key is no list, as below. */
int store_queue_size(const struct store *s, struct redis_conn *c, const char *queue, int64_t *ret,
                     struct err *err) warn_unused_result;
/* *ret: how many were deleted. Redis frees the memory in the background. */
int store_queue_clear(const struct store *s, struct redis_conn *c, const char *queue, int64_t *ret,
                      struct err *err) warn_unused_result;

#endif
