#include "handlers/limiter.h"

#include "base/clock.h"

enum { TICK_MS = 100 }; /* how often one that waits looks whether it should stop */

struct limiter_waiter {
    struct cond woken;
    bool admitted;
    struct limiter_waiter *next;
};

void limiter_init(struct limiter *l, int places)
{
    mutex_init(&l->mutex);
    l->free = places;
    l->first = NULL;
    l->last = &l->first;
}

void limiter_release(struct limiter *l)
{
    mutex_release(&l->mutex);
}

static void admit_locked(struct limiter *l)
{
    struct limiter_waiter *w = l->first;
    if (!w) {
        l->free++;
        return;
    }
    l->first = w->next;
    if (!l->first)
        l->last = &l->first;
    w->admitted = true;
    cond_signal(&w->woken);
}

static void get_out_of_line_locked(struct limiter *l, struct limiter_waiter *w)
{
    struct limiter_waiter **link = &l->first;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    if (l->last == &w->next)
        l->last = link;
}

/* 0 to wait on. That its time is over is no reason: it has not begun. */
static int reason_to_leave(struct run *run, const struct run_ops *ops, bool (*give_up)(void *ctx),
                           void *ctx)
{
    enum run_stop stop = ops->stop(run);
    if (stop != RUN_GOES_ON && stop != RUN_TIMEOUT)
        return -ECANCELED;
    return give_up && give_up(ctx) ? -ETIMEDOUT : 0;
}

int limiter_enter(struct limiter *l, struct run *run, const struct run_ops *ops,
                  bool (*give_up)(void *ctx), void *ctx)
{
    struct limiter_waiter self = {.admitted = false};
    int rc = 0;
    mutex_lock(&l->mutex);
    if (l->free > 0) {
        l->free--;
        mutex_unlock(&l->mutex);
        return 0;
    }
    cond_init(&self.woken);
    *l->last = &self;
    l->last = &self.next;
    while (!self.admitted && rc == 0) {
        if (cond_wait_until(&self.woken, &l->mutex, clock_deadline_ms(TICK_MS)))
            continue;
        mutex_unlock(&l->mutex);
        rc = reason_to_leave(run, ops, give_up, ctx);
        mutex_lock(&l->mutex);
    }
    if (!self.admitted)
        get_out_of_line_locked(l, &self);
    else if (rc != 0)
        admit_locked(l); /* the place came too late: it is the next one's */
    mutex_unlock(&l->mutex);
    cond_release(&self.woken);
    if (rc == 0 && reason_to_leave(run, ops, NULL, NULL) < 0) {
        limiter_leave(l); /* it was stopped in line: nothing must begin now */
        rc = -ECANCELED;
    }
    if (rc == 0)
        ops->begin(run);
    return rc;
}

bool limiter_try(struct limiter *l)
{
    mutex_lock(&l->mutex);
    bool taken = l->free > 0;
    l->free -= taken;
    mutex_unlock(&l->mutex);
    return taken;
}

void limiter_leave(struct limiter *l)
{
    mutex_lock(&l->mutex);
    admit_locked(l);
    mutex_unlock(&l->mutex);
}
