/*
 * What is kept of a request under its Idempotency-Key: its mark, by which the same request is known
 * again (the digest of its body, and how that was read), and behind the mark the answer to it.
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_API_ONCE_H
#define SLUICE_API_ONCE_H

#include "http/digest.h"

enum { ONCE_KEY_MAX = 255, ONCE_MARK = HTTP_DIGEST_HEX + 1 };

/* Whether two records are of the same request. */
static inline bool once_same(struct slice a, struct slice b)
{
    return a.n >= ONCE_MARK && b.n >= ONCE_MARK && memcmp(a.p, b.p, ONCE_MARK) == 0;
}

static inline struct slice once_answer(struct slice record)
{
    return (struct slice){record.p + ONCE_MARK, record.n - ONCE_MARK};
}

#endif
