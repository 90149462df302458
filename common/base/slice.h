/*
 * A slice: a borrowed run of bytes.
 *
 * Payloads, JSON values and Redis replies are passed around as slices, so that bytes which are
 * not ours are neither copied nor terminated on the way. A slice owns nothing; whoever hands it
 * out says how long the bytes stay (usually: as long as the job or the reply they lie in).
 */
#ifndef SLUICE_BASE_SLICE_H
#define SLUICE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *p; /* may be NULL when n is 0; not NUL-terminated */
    size_t n;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_eq(a, slice_of(text));
}

#endif
