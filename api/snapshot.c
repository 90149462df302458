#include "api/snapshot.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "api/parts.h"
#include "base/clock.h"

#define FRESH_NS NS_PER_S

void snapshots_init(struct snapshots *s)
{
    mutex_init(&s->mutex);
    cond_init(&s->changed);
    for (int kind = 0; kind < SNAPSHOT_KINDS; kind++)
        s->of[kind].fd = -1;
}

void snapshots_release(struct snapshots *s)
{
    for (int kind = 0; kind < SNAPSHOT_KINDS; kind++)
        snapshot_unref(s->of[kind].last);
    cond_release(&s->changed);
    mutex_release(&s->mutex);
}

void snapshots_interrupt(struct snapshots *s)
{
    mutex_lock(&s->mutex);
    s->interrupted = true;
    for (int kind = 0; kind < SNAPSHOT_KINDS; kind++)
        if (s->of[kind].fd >= 0)
            (void)shutdown(s->of[kind].fd, SHUT_RDWR); /* or it is down already */
    mutex_unlock(&s->mutex);
}

/* Notes from where a kind is read, fd -1: no longer. */
static int note_fd(struct snapshots *s, enum snapshot_kind kind, int fd, struct err *err)
{
    mutex_lock(&s->mutex);
    bool stopped = s->interrupted && fd >= 0;
    s->of[kind].fd = stopped ? -1 : fd;
    mutex_unlock(&s->mutex);
    return stopped ? err_set(err, -ECANCELED, "the process is stopping") : 0;
}

void snapshot_unref(struct snapshot *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    queue_infos_free(s->queues, s->nqueues);
    worker_infos_free(s->workers, s->nworkers);
    running_release(&s->running);
    free(s);
}

static int read_kind(struct api *a, struct redis_conn *c, enum snapshot_kind kind,
                     struct snapshot *next, struct err *err)
{
    int rc = 0;
    switch (kind) {
    case SNAPSHOT_FIGURES:
        rc = store_stats(a->store, c, &next->stats, err);
        if (rc == 0)
            rc = store_queues(a->store, c, &next->queues, &next->nqueues, err);
        break;
    case SNAPSHOT_WORKERS:
        rc = store_workers(a->store, c, &next->workers, &next->nworkers, err);
        break;
    case SNAPSHOT_RUNNING:
        rc = store_running(a->store, c, &next->running, err);
        break;
    case SNAPSHOT_KINDS:
        break;
    }
    return rc;
}

static int read_next(struct api *a, enum snapshot_kind kind, int64_t deadline_ns,
                     struct snapshot **ret, struct err *err)
{
    struct redis_conn *c = NULL;
    struct snapshot *next = calloc(1, sizeof *next);
    if (!next)
        return err_set(err, -ENOMEM, "%s", err_phrase(-ENOMEM));
    atomic_init(&next->refs, 1);
    int rc = redis_pool_take(a->pool, deadline_ns, &c, err);
    next->at_ns = clock_now_ns();
    if (rc == 0) {
        rc = note_fd(&a->snapshots, kind, redis_conn_fd(c), err);
        if (rc == 0) {
            rc = read_kind(a, c, kind, next, err);
            (void)note_fd(&a->snapshots, kind, -1, NULL); /* cannot fail */
        }
        redis_pool_give(a->pool, c);
    }
    if (rc == 0)
        *ret = next;
    else
        snapshot_unref(next);
    return rc;
}

/* Waits until there is a fresh one (0), or nobody reads it (-EAGAIN: the caller is to). */
static int await_locked(struct snapshots *s, enum snapshot_kind kind, int64_t deadline_ns,
                        struct snapshot **ret)
{
    for (;;) {
        struct snapshot *last = s->of[kind].last;
        if (last && clock_now_ns() - last->at_ns < FRESH_NS) {
            atomic_fetch_add(&last->refs, 1);
            *ret = last;
            return 0;
        }
        if (!s->of[kind].reading)
            return -EAGAIN;
        if (!cond_wait_until(&s->changed, &s->mutex, deadline_ns))
            return -ETIMEDOUT;
    }
}

int snapshot_get(struct api *a, enum snapshot_kind kind, int64_t deadline_ns, struct snapshot **ret,
                 struct err *err)
{
    struct snapshots *s = &a->snapshots;
    struct snapshot *next = NULL;
    mutex_lock(&s->mutex);
    int rc = await_locked(s, kind, deadline_ns, ret);
    if (rc == -EAGAIN)
        s->of[kind].reading = true;
    mutex_unlock(&s->mutex);
    if (rc == -ETIMEDOUT)
        return err_set(err, rc, "Redis did not answer in time");
    if (rc == 0)
        return 0;

    rc = read_next(a, kind, deadline_ns, &next, err);
    struct snapshot *old = NULL;
    mutex_lock(&s->mutex);
    if (rc == 0) {
        old = s->of[kind].last;
        s->of[kind].last = next;
        atomic_fetch_add(&next->refs, 1);
        *ret = next;
    }
    s->of[kind].reading = false;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->mutex);
    snapshot_unref(old);
    return rc;
}

struct snapshot *snapshot_for(struct call *c, enum snapshot_kind kind)
{
    struct err err = {""};
    struct snapshot *s = NULL;
    int rc = snapshot_get(c->api, kind, call_deadline_ns(c), &s, &err);
    if (rc == 0)
        return s;
    call_fail(c, rc, &err);
    return NULL;
}
