/*
 * Bytes in, lines out: cuts a stream that comes in pieces into lines, in bounded memory.
 *
 * Only a line that spans pieces is copied. A line longer than `max` is delivered once, as its
 * first `max` bytes and marked as cut, when its end arrives; the bytes between are dropped.
 *
 * Threads: none. Ownership: embedded, lines_release(); zero with max set is a valid start.
 */
#ifndef SLUICE_WORKER_HANDLERS_LINES_H
#define SLUICE_WORKER_HANDLERS_LINES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

struct lines {
    size_t max;         /* bytes of a line that are kept */
    struct buf partial; /* the line whose end has not come yet */
    bool cut;           /* it is longer than max, or there was no memory for it */
};

/* Called for each line, without its newline; the slice is valid for the call. */
typedef void lines_each(void *ctx, struct slice line, bool cut);

void lines_feed(struct lines *l, struct slice bytes, lines_each *each, void *ctx);

/* The stream is over: delivers a last line that had no newline. */
void lines_end(struct lines *l, lines_each *each, void *ctx);

void lines_release(struct lines *l);

#endif
