#include "base/permit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void permit_init(struct permit *p, int limit)
{
    assert(limit >= 1);
    if (sem_init(&p->sem, 0, (unsigned)limit) != 0)
        abort(); /* only fails for a limit beyond SEM_VALUE_MAX, which the settings exclude */
    mutex_init(&p->mutex);
    p->first = p->last = NULL;
    atomic_init(&p->coming, NULL);
    atomic_init(&p->limit, limit);
    atomic_init(&p->debt, 0);
    atomic_init(&p->in_use, 0);
    atomic_init(&p->waiting, 0);
    atomic_init(&p->peak, 0);
    atomic_init(&p->recent, 0);
    atomic_init(&p->stopping, false);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        atomic_init(&p->wait.count[i], 0);
    atomic_init(&p->wait.sum_us, 0);
}

void permit_release_all(struct permit *p)
{
    assert(!p->first && !atomic_load(&p->coming));
    mutex_release(&p->mutex);
    (void)sem_destroy(&p->sem);
}

static void post(sem_t *sem)
{
    if (sem_post(sem) != 0)
        abort(); /* overflow: a permit was given back twice */
}

/* False when the deadline has passed. */
static bool wait_until(sem_t *sem, int64_t deadline_ns)
{
    struct timespec ts = clock_timespec(deadline_ns > 0 ? deadline_ns : 0);
    int rc;
    do
        rc = deadline_ns == CLOCK_NEVER ? sem_wait(sem) : sem_clockwait(sem, CLOCK_MONOTONIC, &ts);
    while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static void raise_to(atomic_int *peak, int now)
{
    int was = atomic_load_explicit(peak, memory_order_relaxed);
    while (now > was && !atomic_compare_exchange_weak_explicit(
                            peak, &was, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* Takes one unit of debt if there is any. */
static bool pay_debt(struct permit *p)
{
    int debt = atomic_load(&p->debt);
    while (debt > 0)
        if (atomic_compare_exchange_weak(&p->debt, &debt, debt - 1))
            return true;
    return false;
}

/* While a lowered limit is being paid back, what comes off the semaphore is retired: a release that
 * ran beside the resize may have posted without seeing the debt. */
static int try_take(struct permit *p)
{
    if (atomic_load(&p->stopping))
        return -ECANCELED;
    while (sem_trywait(&p->sem) == 0)
        if (!pay_debt(p)) {
            int now = atomic_fetch_add(&p->in_use, 1) + 1;
            raise_to(&p->peak, now);
            raise_to(&p->recent, now);
            return 0;
        }
    return -EAGAIN;
}

/* --- the line ------------------------------------------------------------------------------ */

/* Unless it leaves by itself it must still be woken, which can be done without the mutex: it does
 * not go before. */
static void leave_locked(struct permit *p, struct permit_waiter *w, int fate)
{
    *(w->before ? &w->before->behind : &p->first) = w->behind;
    *(w->behind ? &w->behind->before : &p->last) = w->before;
    atomic_fetch_sub(&p->waiting, 1);
    atomic_store(&w->fate, fate);
}

/* Those who have come since stand behind the others, who came before. */
static void lock_line(struct permit *p)
{
    mutex_lock(&p->mutex);
    struct permit_waiter *last = atomic_exchange(&p->coming, NULL);
    if (!last)
        return;
    struct permit_waiter *w = last, *behind = NULL;
    for (;; w = w->before) {
        w->behind = behind;
        behind = w;
        if (!w->before)
            break;
    }
    w->before = p->last;
    *(p->last ? &p->last->behind : &p->first) = w;
    p->last = last;
}

/* Either side first says what it has done and then looks at the other: whoever frees a permit, or
 * stops, does so and looks for somebody in line; whoever comes to the line looks for a permit that
 * is free, and for a stop. So one of them sees the other. */
static void say_before_looking(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

static bool is_free(struct permit *p)
{
    int value;
    return sem_getvalue(&p->sem, &value) == 0 && value > 0;
}

/* What is free goes to the first in line; with a stop, all go. */
static void hand_out(struct permit *p)
{
    struct permit_waiter *w;
    do {
        lock_line(p);
        int fate = p->first ? try_take(p) : -EAGAIN;
        w = fate != -EAGAIN ? p->first : NULL;
        if (w)
            leave_locked(p, w, fate);
        mutex_unlock(&p->mutex);
        if (w)
            post(&w->woken);
    } while (w);
}

/* What is given back goes to the first in line, with its place in in_use. */
static bool hand_on(struct permit *p)
{
    lock_line(p);
    struct permit_waiter *w = atomic_load(&p->debt) > 0 ? NULL : p->first;
    if (w)
        leave_locked(p, w, 0);
    mutex_unlock(&p->mutex);
    if (w)
        post(&w->woken);
    return w != NULL;
}

/* Without the mutex: where thousands come, each that found it taken would have to sleep twice. Who
 * is counted is in line. (It may be off again before: then its count comes after, and with it a
 * look for whoever was overlooked meanwhile.) */
static void join(struct permit *p, struct permit_waiter *self)
{
    atomic_store(&self->fate, -EAGAIN);
    self->before = atomic_load(&p->coming);
    while (!atomic_compare_exchange_weak(&p->coming, &self->before, self))
        ;
    atomic_fetch_add(&p->waiting, 1);
    say_before_looking();
    if (is_free(p) || atomic_load(&p->stopping))
        hand_out(p);
}

/* False when somebody has decided on its fate meanwhile, and wakes it. */
static bool give_up(struct permit *p, struct permit_waiter *self)
{
    lock_line(p);
    bool waits = atomic_load(&self->fate) == -EAGAIN;
    if (waits)
        leave_locked(p, self, -ETIMEDOUT);
    mutex_unlock(&p->mutex);
    return waits;
}

static int wait_in_line(struct permit *p, int64_t deadline_ns, struct permit_waiter *self)
{
    if (sem_init(&self->woken, 0, 0) != 0)
        abort(); /* never for 0 */
    join(p, self);
    if (!wait_until(&self->woken, deadline_ns) && !give_up(p, self))
        (void)wait_until(&self->woken, CLOCK_NEVER);
    (void)sem_destroy(&self->woken);
    return atomic_load(&self->fate);
}

/* --- riding -------------------------------------------------------------------------------- */

struct permit_waiter *permit_board(struct permit *p, int max)
{
    struct permit_waiter *first = NULL, **end = &first;
    if (atomic_load(&p->waiting) <= 0)
        return NULL;
    int64_t now_ns = clock_now_ns();
    lock_line(p);
    for (; max > 0 && p->first && p->first->may_ride; max--) {
        struct permit_waiter *w = p->first;
        leave_locked(p, w, -EINPROGRESS);
        w->boarded_ns = now_ns;
        w->behind = NULL;
        *end = w;
        end = &w->behind;
    }
    mutex_unlock(&p->mutex);
    return first;
}

void permit_alight(struct permit_waiter *w)
{
    atomic_store(&w->fate, PERMIT_RODE);
    post(&w->woken);
}

/* --- in and out ---------------------------------------------------------------------------- */

static int acquire(struct permit *p, int64_t deadline_ns, struct permit_waiter *self)
{
    int rc = try_take(p);
    int64_t waited_ns = 0;
    if (rc == -EAGAIN) {
        int64_t start_ns = clock_now_ns();
        rc = wait_in_line(p, deadline_ns, self);
        waited_ns = (rc == PERMIT_RODE ? self->boarded_ns : clock_now_ns()) - start_ns;
    }
    if (rc >= 0)
        histogram_add_ns(&p->wait, waited_ns);
    return rc;
}

int permit_acquire(struct permit *p, int64_t deadline_ns)
{
    struct permit_waiter self = {.may_ride = false};
    return acquire(p, deadline_ns, &self);
}

int permit_acquire_or_ride(struct permit *p, int64_t deadline_ns, struct permit_waiter *self)
{
    self->may_ride = true;
    return acquire(p, deadline_ns, self);
}

void permit_give(struct permit *p)
{
    if (atomic_load(&p->waiting) > 0 && hand_on(p))
        return;
    int before = atomic_fetch_sub(&p->in_use, 1);
    assert(before > 0);
    (void)before;
    if (pay_debt(p))
        return;
    post(&p->sem);
    say_before_looking();
    if (atomic_load(&p->waiting) > 0)
        hand_out(p);
}

void permit_resize(struct permit *p, int limit)
{
    assert(limit >= 1);
    mutex_lock(&p->mutex);
    int change = limit - atomic_load(&p->limit);
    atomic_store(&p->limit, limit);
    for (; change > 0; change--)
        if (!pay_debt(p))
            post(&p->sem);
    if (change < 0)
        atomic_fetch_add(&p->debt, -change); /* before looking for free ones: none slips past */
    while (atomic_load(&p->debt) > 0 && sem_trywait(&p->sem) == 0)
        if (!pay_debt(p))
            post(&p->sem); /* releases were faster: the debt is paid */
    mutex_unlock(&p->mutex);
    hand_out(p);
}

int permit_waiting(const struct permit *p)
{
    int waiting = atomic_load(&p->waiting);
    return waiting > 0 ? waiting : 0;
}

int permit_recent_peak(struct permit *p)
{
    int peak = atomic_exchange(&p->recent, 0);
    raise_to(&p->recent, atomic_load(&p->in_use)); /* those go on into the next interval */
    return peak;
}

void permit_stop(struct permit *p)
{
    atomic_store(&p->stopping, true);
    say_before_looking();
    hand_out(p);
}
