/*
 * Output: the events of running jobs on their way to Redis, in order, without a gap and without
 * unbounded memory.
 *
 * A job emits into its own buffer and goes on. A few streamer threads carry buffers to Redis: one
 * that has events is put in line once; whoever serves it takes all that has gathered meanwhile and
 * appends it in one script. So the first event leaves at once and a flood is batched, without a
 * timer. A job that runs ahead of Redis by more than OUTPUT_MAX_BYTES blocks in emit
 * (back-pressure) until there is room, or until it should stop.
 *
 * A job that is run again, after a failure or the death of its worker, goes on in its stream: a
 * marker with the number of the attempt precedes the first event.
 *
 * An append whose reply was lost is sent again with the length the stream had before, so nothing
 * is doubled. When the job is no longer ours (-ESTALE), the rest is dropped and the run told.
 *
 * Threads: output_emit() from the threads of its job; a streamer holds an output only while it is
 * in line; output_close() waits until it is not.
 */
#ifndef SLUICE_WORKER_OUTPUT_H
#define SLUICE_WORKER_OUTPUT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/thread.h"
#include "redis/pool.h"
#include "store/stream.h"

enum { STREAMERS = 2, OUTPUT_MAX_BYTES = 1 << 20 };

struct output;

struct streamer {
    const struct store *store;
    struct redis_pool *pool;
    struct thread threads[STREAMERS];
    struct mutex mutex;
    /* guards: the line and stopping */
    struct cond wake;
    struct output *head, *tail;
    bool stopping;
    atomic_uint_fast64_t events;
};

/* One job's output; embedded in its run, and made by the first event (most jobs have none). */
struct output {
    struct streamer *streamer;
    struct stream_target target; /* borrowed jid */
    int64_t attempt; /* for the marker, when the stream is not empty at the first append */
    struct mutex mutex;
    /* guards: up to the blank line */
    struct cond room; /* the buffer was taken, or the output failed */
    struct buf bytes; /* events, one after another … */
    size_t *ends;     /* … and where each ends */
    size_t n, cap;
    bool in_line; /* with the streamer */
    int failed;   /* -ESTALE, -EFBIG, …: later events are refused */

    /* The streamer's alone: */
    int64_t length; /* of the stream, -1 while unknown */
    bool begun;     /* something was appended */

    struct output *next; /* in line; guarded by the streamer's mutex */
};

int streamer_start(struct streamer *s, const struct store *store,
                   struct redis_pool *pool) warn_unused_result;
void streamer_stop(struct streamer *s); /* serves what is in line as far as Redis answers */

void output_init(struct output *o, struct streamer *s, const struct stream_target *target,
                 int64_t attempt);
void output_release(struct output *o);

/* One event; text that is no JSON value becomes a JSON string. Waits for room; should_stop is
 * asked meanwhile. -ECANCELED when it says so, the code of the failure once the output failed. */
int output_emit(struct output *o, struct slice text, bool (*should_stop)(void *ctx),
                void *ctx) warn_unused_result;

/* Waits until everything emitted is in Redis or has failed, at most until the deadline. 0 or the
 * failure; -ETIMEDOUT. After this no streamer touches the output. */
int output_close(struct output *o, int64_t deadline_ns) warn_unused_result;

#endif
