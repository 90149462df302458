#include "handlers/limiter.h"

#include <semaphore.h>

#include "base/clock.h"

enum { TICK_MS = 100 }; /* how often one that waits looks whether it should stop */

/* A semaphore and no condition: it can be posted without the mutex, which the one that wakes up
 * would find locked, and may be destroyed as soon as the wait has returned. */
struct limiter_waiter {
    sem_t admitted;
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

/* False when it is in line no more: it has been admitted. */
static bool get_out_of_line(struct limiter *l, struct limiter_waiter *w)
{
    mutex_lock(&l->mutex);
    struct limiter_waiter **link = &l->first;
    while (*link && *link != w)
        link = &(*link)->next;
    bool found = *link == w;
    if (found)
        *link = w->next;
    if (l->last == &w->next)
        l->last = link;
    mutex_unlock(&l->mutex);
    return found;
}

/* Waits a tick; true when admitted. */
static bool wait_a_tick(struct limiter_waiter *w)
{
    struct timespec until = clock_timespec(clock_deadline_ms(TICK_MS));
    int rc;
    while ((rc = sem_clockwait(&w->admitted, CLOCK_MONOTONIC, &until)) < 0 && errno == EINTR)
        continue;
    return rc == 0;
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

static int wait_in_line(struct limiter *l, struct limiter_waiter *self, struct run *run,
                        const struct run_ops *ops, bool (*give_up)(void *ctx), void *ctx)
{
    int rc = 0;
    while (rc == 0) {
        if (wait_a_tick(self))
            break;
        rc = reason_to_leave(run, ops, give_up, ctx);
    }
    if (rc != 0 && get_out_of_line(l, self))
        return rc;
    if (rc != 0) /* admitted meanwhile: the post is on its way */
        while (!wait_a_tick(self))
            continue;
    /* Nothing may begin that was stopped in line: the place is the next one's. */
    if (rc == 0)
        rc = reason_to_leave(run, ops, NULL, NULL);
    if (rc != 0)
        limiter_leave(l);
    return rc;
}

int limiter_enter(struct limiter *l, struct run *run, const struct run_ops *ops,
                  bool (*give_up)(void *ctx), void *ctx)
{
    struct limiter_waiter self = {.next = NULL};
    mutex_lock(&l->mutex);
    bool free = l->free > 0;
    if (free) {
        l->free--;
    } else {
        (void)sem_init(&self.admitted, 0, 0); /* cannot fail for 0 */
        *l->last = &self;
        l->last = &self.next;
    }
    mutex_unlock(&l->mutex);
    if (free)
        return 0;
    int rc = wait_in_line(l, &self, run, ops, give_up, ctx);
    (void)sem_destroy(&self.admitted); /* nobody waits */
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
    struct limiter_waiter *next = l->first;
    if (next) {
        l->first = next->next;
        if (!l->first)
            l->last = &l->first;
    } else {
        l->free++;
    }
    mutex_unlock(&l->mutex);
    if (next)
        (void)sem_post(&next->admitted); /* cannot overflow at 1 */
}
