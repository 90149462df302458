/*
 * A `struct run` for tests of handlers: keeps what the handler says in memory and stops it on
 * request. Events and log lines are joined by newlines, up to FAKE_KEPT bytes; beyond they are
 * only counted.
 */
#ifndef SLUICE_TESTS_FAKE_RUN_H
#define SLUICE_TESTS_FAKE_RUN_H

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/thread.h"
#include "handlers/handler.h"
#include "support/support.h"

enum { FAKE_KEPT = 4 << 20 };

struct run {
    struct mutex mutex; /* guards: events, log, longest */
    struct buf events;
    struct buf log;
    size_t longest; /* event */
    atomic_long nevents;
    atomic_int stop; /* enum run_stop */
    int stop_fd;
    bool deaf; /* has no stop_fd to offer */
    atomic_int begins;
};

static inline void fake_run_init(struct run *r)
{
    *r = (struct run){.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    ck_assert_int_ge(r->stop_fd, 0);
    mutex_init(&r->mutex);
}

static inline void fake_run_release(struct run *r)
{
    mutex_release(&r->mutex);
    buf_release(&r->events);
    buf_release(&r->log);
    ck_assert_int_eq(close(r->stop_fd), 0);
}

static inline void fake_run_stop(struct run *r, enum run_stop why)
{
    atomic_store(&r->stop, (int)why);
    ck_assert_int_eq(eventfd_write(r->stop_fd, 1), 0);
}

static inline void fake_keep(struct buf *b, struct slice text)
{
    if (b->n + text.n < FAKE_KEPT) {
        buf_put(b, text);
        buf_putc(b, '\n');
    }
}

static inline int fake_emit(struct run *r, struct slice text)
{
    if (atomic_load(&r->stop) != RUN_GOES_ON)
        return -ECANCELED;
    mutex_lock(&r->mutex);
    fake_keep(&r->events, text);
    if (text.n > r->longest)
        r->longest = text.n;
    mutex_unlock(&r->mutex);
    atomic_fetch_add(&r->nevents, 1);
    return 0;
}

static inline enum run_stop fake_stop(struct run *r)
{
    return (enum run_stop)atomic_load(&r->stop);
}

static inline int fake_stop_fd(struct run *r)
{
    return r->deaf ? -1 : r->stop_fd;
}

static inline void fake_begin(struct run *r)
{
    atomic_fetch_add(&r->begins, 1);
}

static inline void fake_log(struct run *r, int level, struct slice text)
{
    mutex_lock(&r->mutex);
    buf_printf(&r->log, "%d ", level);
    fake_keep(&r->log, text);
    mutex_unlock(&r->mutex);
}

static const struct run_ops fake_ops = {
    .emit = fake_emit,
    .stop = fake_stop,
    .stop_fd = fake_stop_fd,
    .begin = fake_begin,
    .log = fake_log,
};

static inline void assert_outcome_is(const struct outcome *out, enum outcome_kind kind,
                                     const char *error_class, const char *message)
{
    ck_assert_str_eq(buf_str(&out->message), message);
    ck_assert_str_eq(out->error_class, error_class);
    ck_assert_int_eq(out->kind, kind);
}

/* A job with these args; the payload has them too. */
#define FAKE_JOB(text)                                                                             \
    {                                                                                              \
        .jid = "0123456789abcdef01234567", .klass = "test", .queue = "default",                    \
        .args = {"" text, sizeof text - 1},                                                        \
        .payload = {"{\"class\":\"test\",\"args\":" text "}",                                      \
                    sizeof "{\"class\":\"test\",\"args\":" text "}" - 1},                          \
        .attempt = 1, .deadline_ns = CLOCK_NEVER,                                                  \
    }

#endif
