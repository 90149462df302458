/*
 * A chunk: events of a stream in a row, as the text that goes to viewers (text/event-stream of
 * HTML's "Server-sent events"; the id of an event is its index in the stream, from 1).
 *
 * Threads: immutable once made, apart from its references, which the hub's mutex guards.
 * Ownership: counted; each viewer that is sending it and the topic that keeps it have one.
 */
#ifndef SLUICE_API_CHUNK_H
#define SLUICE_API_CHUNK_H

#include "base/buf.h"
#include "store/job_view.h"

struct chunk {
    int refs;
    int64_t first; /* id of its first event */
    size_t n;      /* events */
    struct buf text;
    size_t *ends; /* where each ends in the text */
    struct chunk *next;
};

/* Of a page with events, the first of which has this id, with one reference. NULL without memory.
 */
struct chunk *chunk_new(const struct stream_page *page, int64_t first);
void chunk_unref(struct chunk *c);

/* Where the event with this id begins; it must be in the chunk. */
size_t chunk_start_of(const struct chunk *c, int64_t id);
static inline bool chunk_has(const struct chunk *c, int64_t id)
{
    return id >= c->first && id < c->first + (int64_t)c->n;
}

#endif
