/*
 * Numbers and texts as the spool's files hold them: little-endian, texts behind their length.
 *
 * A reader is total: asked for more than there is, it is spoilt, and gives zeros and empty texts
 * from then on; who reads looks at `bad` once, at the end.
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_API_SPOOL_BYTES_H
#define SLUICE_API_SPOOL_BYTES_H

#include <stdint.h>

#include "base/buf.h"

static inline void bytes_put(struct buf *out, uint64_t n, size_t width)
{
    for (size_t i = 0; i < width; i++)
        buf_putc(out, (char)(n >> (8 * i) & 0xff));
}

static inline void bytes_put_text(struct buf *out, struct slice text, size_t width)
{
    bytes_put(out, text.n, width);
    buf_put(out, text);
}

static inline uint64_t bytes_number(const char *p, size_t width)
{
    uint64_t n = 0;
    for (size_t i = 0; i < width; i++)
        n |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return n;
}

struct bytes_reader {
    struct slice rest;
    bool bad;
};

static inline struct slice bytes_take(struct bytes_reader *r, uint64_t n)
{
    struct slice taken = {r->rest.p, (size_t)n};
    if (n > r->rest.n) {
        r->bad = true;
        r->rest.n = 0;
        return (struct slice){"", 0};
    }
    r->rest = (struct slice){r->rest.p + n, r->rest.n - (size_t)n};
    return taken;
}

static inline uint64_t bytes_get(struct bytes_reader *r, size_t width)
{
    struct slice taken = bytes_take(r, width);
    return taken.n == width ? bytes_number(taken.p, width) : 0;
}

static inline struct slice bytes_get_text(struct bytes_reader *r, size_t width)
{
    return bytes_take(r, bytes_get(r, width));
}

#endif
