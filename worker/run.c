#include "worker/run.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define FLUSH_NS (30 * NS_PER_S) /* the longest an end waits for the output before it */

void run_begin(struct run *run, struct streamer *s, const struct stream_target *target, bool stream)
{
    run->stop_fd = -1;
    atomic_init(&run->stop, RUN_GOES_ON);
    run->streamer = s;
    run->target = *target;
    run->keeps_output = stream;
    atomic_init(&run->has_output, false);
}

static bool has_output(const struct run *run)
{
    return atomic_load_explicit(&run->has_output, memory_order_acquire);
}

void run_finish_output(struct run *run)
{
    if (!has_output(run))
        return;
    if (!atomic_load_explicit(&run->tally->has_output, memory_order_relaxed))
        atomic_store_explicit(&run->tally->has_output, true, memory_order_relaxed);
    int rc = output_close(&run->output, clock_now_ns() + FLUSH_NS);
    if (rc != 0 && rc != -ESTALE)
        log_warn("output of a job is incomplete", log_str("jid", run->shown.jid),
                 log_str("class", run->shown.klass), log_str("error", err_phrase(rc)));
    if (rc == -ESTALE)
        atomic_store(&run->stop, RUN_LOST);
}

void run_end(struct run *run)
{
    if (run->stop_fd >= 0)
        (void)close(run->stop_fd);
    if (has_output(run))
        output_release(&run->output);
    buf_release(&run->payload);
}

enum run_stream run_stream(const struct run *run)
{
    if (!run->keeps_output)
        return RUN_STREAM_NONE;
    if (run->tracked || has_output(run))
        return RUN_STREAM;
    /* What a dead worker ran comes back as it was: only its class says that it may have a stream.
     */
    if (run->shown.attempt > 1 ||
        atomic_load_explicit(&run->tally->has_output, memory_order_relaxed))
        return RUN_STREAM_MAYBE;
    return RUN_STREAM_NONE;
}

void run_stop_locked(struct run *run, enum run_stop reason)
{
    int none = RUN_GOES_ON;
    if (!atomic_compare_exchange_strong(&run->stop, &none, (int)reason))
        return;
    if (run->stop_fd >= 0) {
        uint64_t one = 1;
        ssize_t n = write(run->stop_fd, &one, sizeof one);
        (void)n; /* a counter of 1 always fits */
    }
}

/* ---- what handlers call ---- */

static enum run_stop op_stop(struct run *run)
{
    int stop = atomic_load_explicit(&run->stop, memory_order_relaxed);
    if (stop == RUN_GOES_ON && run->shown.deadline_ns != CLOCK_NEVER &&
        clock_now_ns() >= run->shown.deadline_ns)
        return RUN_TIMEOUT;
    return (enum run_stop)stop;
}

static bool should_stop(void *run)
{
    return op_stop(run) != RUN_GOES_ON;
}

/* A plugin may emit from several threads at once. */
static void make_output(struct run *run)
{
    mutex_lock(&run->slot->mutex);
    if (!has_output(run)) {
        output_init(&run->output, run->streamer, &run->target, run->shown.attempt);
        atomic_store_explicit(&run->has_output, true, memory_order_release);
    }
    mutex_unlock(&run->slot->mutex);
}

static int op_emit(struct run *run, struct slice text)
{
    if (!run->keeps_output)
        return 0;
    if (!has_output(run))
        make_output(run);
    int rc = output_emit(&run->output, text, should_stop, run);
    if (rc == -ESTALE) {
        mutex_lock(&run->slot->mutex);
        run_stop_locked(run, RUN_LOST);
        mutex_unlock(&run->slot->mutex);
    }
    /* A full stream is no reason to end the job; the cut is marked in the stream itself. */
    return rc == -EFBIG ? 0 : rc == 0 ? 0 : -ECANCELED;
}

static int op_stop_fd(struct run *run)
{
    mutex_lock(&run->slot->mutex);
    if (run->stop_fd < 0) {
        run->stop_fd = eventfd(atomic_load(&run->stop) != RUN_GOES_ON, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    int fd = run->stop_fd;
    mutex_unlock(&run->slot->mutex);
    return fd;
}

static void op_begin(struct run *run)
{
    run->started_ns = clock_now_ns();
    if (run->shown.timeout_ms > 0)
        run->shown.deadline_ns = run->started_ns + run->shown.timeout_ms * NS_PER_MS;
}

static void op_log(struct run *run, int level, struct slice text)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
    enum log_level l = levels[level < 0 ? 0 : level > 3 ? 3 : level];
    log_at(l, "handler says", log_str("jid", run->shown.jid), log_str("class", run->shown.klass),
           log_slice("text", text));
}

const struct run_ops run_ops = {
    .emit = op_emit,
    .stop = op_stop,
    .stop_fd = op_stop_fd,
    .begin = op_begin,
    .log = op_log,
};
