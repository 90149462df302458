#include "api/snapshot.h"

#include <stdlib.h>

#include "api/parts.h"
#include "base/clock.h"

#define FRESH_NS NS_PER_S

void snapshots_init(struct snapshots *s)
{
    mutex_init(&s->mutex);
    cond_init(&s->changed);
}

void snapshots_release(struct snapshots *s)
{
    snapshot_unref(s->last);
    cond_release(&s->changed);
    mutex_release(&s->mutex);
}

void snapshot_unref(struct snapshot *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    queue_infos_free(s->queues, s->nqueues);
    free(s);
}

static int read_next(struct call *c, struct snapshot **ret, struct err *err)
{
    struct snapshot *next = calloc(1, sizeof *next);
    if (!next)
        return err_set(err, -ENOMEM, "%s", err_phrase(-ENOMEM));
    atomic_init(&next->refs, 1);
    int rc = call_gate(c, err);
    next->at_ns = clock_now_ns();
    if (rc == 0)
        rc = store_stats(c->api->store, c->redis, &next->stats, err);
    if (rc == 0)
        rc = store_queues(c->api->store, c->redis, &next->queues, &next->nqueues, err);
    if (rc == 0)
        *ret = next;
    else
        snapshot_unref(next);
    return rc;
}

/* Waits until there is a fresh one (0), or nobody reads it (-EAGAIN: the caller is to). */
static int await_locked(struct snapshots *s, int64_t deadline_ns, struct snapshot **ret)
{
    for (;;) {
        if (s->last && clock_now_ns() - s->last->at_ns < FRESH_NS) {
            atomic_fetch_add(&s->last->refs, 1);
            *ret = s->last;
            return 0;
        }
        if (!s->reading)
            return -EAGAIN;
        if (!cond_wait_until(&s->changed, &s->mutex, deadline_ns))
            return -ETIMEDOUT;
    }
}

int snapshot_get(struct call *c, struct snapshot **ret, struct err *err)
{
    struct snapshots *s = &c->api->snapshots;
    struct snapshot *next = NULL;
    mutex_lock(&s->mutex);
    int rc = await_locked(s, call_deadline_ns(c), ret);
    if (rc == -EAGAIN)
        s->reading = true;
    mutex_unlock(&s->mutex);
    if (rc == -ETIMEDOUT)
        return err_set(err, rc, "Redis did not answer in time");
    if (rc == 0)
        return 0;

    rc = read_next(c, &next, err);
    struct snapshot *old = NULL;
    mutex_lock(&s->mutex);
    if (rc == 0) {
        old = s->last;
        s->last = next;
        atomic_fetch_add(&next->refs, 1);
        *ret = next;
    }
    s->reading = false;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->mutex);
    snapshot_unref(old);
    return rc;
}
