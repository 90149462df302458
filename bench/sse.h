/*
 * A viewer of a job's output, as small as one can be: it asks for the events, takes the chunks of
 * HTTP apart and counts events. What it gets may be looked at.
 */
#ifndef SLUICE_BENCH_SSE_H
#define SLUICE_BENCH_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum sse_state { SSE_HEAD, SSE_SIZE, SSE_DATA, SSE_BREAK, SSE_END };

struct sse {
    int fd;
    enum sse_state state;
    unsigned newlines; /* in a row; of the head, two end it */
    size_t left;       /* bytes of the chunk */
    int64_t blocks;    /* that ended with an empty line: the greeting, then events */
};

/* Connects and asks, as browsers do on a connection that has served a request before; the answer
 * comes later. */
void sse_open(struct sse *s, int port, const char *jid);
/* Reads what there is without waiting; appends its text to out unless that is NULL. Returns the
 * bytes. */
size_t sse_pull(struct sse *s, struct buf *out);
void sse_close(struct sse *s);

#endif
