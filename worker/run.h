/*
 * One run: a job on its executor, as its handler sees it (handlers/handler.h, `struct run_ops`)
 * and as others can stop it.
 *
 * Threads: the run belongs to its executor. `stop` may be set by others under the slot's mutex;
 * a handler reads it without.
 */
#ifndef SLUICE_WORKER_RUN_H
#define SLUICE_WORKER_RUN_H

#include <stdatomic.h>

#include "base/json.h"
#include "handlers/handler.h"
#include "job/envelope.h"
#include "worker/output.h"
#include "worker/runner.h"

struct run {
    struct envelope envelope;
    struct handler *handler; /* NULL when there is none for the class */
    struct run_job shown;
    struct buf payload; /* the completed payload, when the job's own lacked something */
    struct streamer *streamer;
    struct stream_target target;
    bool keeps_output;      /* else what it emits is dropped */
    atomic_bool has_output; /* set with the next, by the first event, under the slot's mutex */
    struct output output;
    struct slot *slot;
    struct tally_entry *tally;
    int64_t started_ns; /* monotonic, as is the next; later when it had to wait for its turn */
    int64_t ended_ns;
    double started_at; /* Redis' time */
    bool tracked;
    int64_t ttl_s;
    bool given_back; /* guarded by the slot's mutex */
    int stop_fd;     /* guarded by the slot's mutex; -1 until a handler asked for it */
    atomic_int stop; /* enum run_stop */
};

extern const struct run_ops run_ops;

void run_begin(struct run *run, struct streamer *s, const struct stream_target *target,
               bool stream);
/* Waits until the output is in Redis (bounded), before the end may be recorded. */
void run_finish_output(struct run *run);
void run_end(struct run *run);

/* Does the job have a stream, which wants a final event? Maybe: it was run before, here or by a
 * worker that died, and may have had output then. */
enum run_stream { RUN_STREAM_NONE, RUN_STREAM_MAYBE, RUN_STREAM };
enum run_stream run_stream(const struct run *run);

/* Sets the reason unless there is one already, and wakes a handler that waits. */
void run_stop_locked(struct run *run, enum run_stop reason);

#endif
