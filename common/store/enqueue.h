/*
 * Enqueueing: pushes as Sidekiq's clients do (SADD queues, LPUSH queue:<name>; ZADD schedule).
 *
 * A batch gathers complete payloads and is sent in one pipelined write. Payloads go as they are;
 * the caller completes them first (job/envelope.h). After -ENOTCONN some of the batch may have
 * been pushed: repeating may push twice, so report it and let the user decide.
 *
 * Ownership: payloads are borrowed until sent. Threads: none.
 */
#ifndef SLUICE_STORE_ENQUEUE_H
#define SLUICE_STORE_ENQUEUE_H

#include "store/store.h"

/* Pushes n payloads to one queue, in order: the first is the first to run. *ret_length: the
 * queue's length afterwards; may be NULL. -EMEDIUMTYPE when the key is no list (nothing pushed). */
int store_push(const struct store *s, struct redis_conn *c, const char *queue,
               const struct slice *payloads, size_t n, int64_t *ret_length,
               struct err *err) warn_unused_result;

/* Puts n payloads into `schedule`, due at the Unix times in due (Redis' clock). */
int store_schedule(const struct store *s, struct redis_conn *c, const struct slice *payloads,
                   const double *due, size_t n, struct err *err) warn_unused_result;

#endif
