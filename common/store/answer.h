/*
 * Answers: what became of an order (store/order.h), told to whoever gave it.
 *
 * Its message named a reply, and each worker that it was for appends one JSON object to the list
 * `sluice:reply:<reply>`:
 *     {"identity":…,"id":…,"ok":true}   {"identity":…,"id":…,"error":"what is wrong"}
 * with more members for a ping. The sender takes them off by BLPOP: none is lost because it was not
 * listening yet (rejected: a channel). A list that nobody collects is gone after a minute, and
 * holds STORE_ANSWERS_MAX at most.
 *
 * An answer that could not be written is missing and nothing else: the order was obeyed, or will
 * be. So it is never repeated.
 */
#ifndef SLUICE_STORE_ANSWER_H
#define SLUICE_STORE_ANSWER_H

#include "store/store.h"

enum { STORE_ANSWER_SECONDS = 60, STORE_ANSWERS_MAX = 10000 };

/* One answer of many, to be written together. */
struct answer {
    const char *reply;
    struct slice text;
};
/* One round trip. The first error is returned after all were tried. */
int store_answers_write(const struct store *s, struct redis_conn *c, const struct answer *answers,
                        size_t n, struct err *err) warn_unused_result;

/* The next answer, within at most so long (and the connection's own timeout is set for that): the
 * list's key and the answer, or *ret NULL when none came. */
int store_answer_wait(const struct store *s, struct redis_conn *c, const char *reply,
                      int64_t timeout_ms, struct reply **ret, struct err *err) warn_unused_result;

#endif
