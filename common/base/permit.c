#include "base/permit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum fate { WAITS, LOOKS, HAS }; /* is in line; is to look for a permit; one was handed to it */

struct permit_waiter {
    sem_t woken;                           /* posted once for each fate other than WAITS */
    atomic_int fate;                       /* changed under the permit's mutex */
    bool late;                             /* it was roused, and others were faster */
    struct permit_waiter *before, *behind; /* in line */
};

void permit_init(struct permit *p, int limit)
{
    assert(limit >= 1);
    if (sem_init(&p->sem, 0, (unsigned)limit) != 0)
        abort(); /* only fails for a limit beyond SEM_VALUE_MAX, which the settings exclude */
    mutex_init(&p->mutex);
    p->first = p->last = NULL;
    p->handed = 0;
    atomic_init(&p->lookout, NULL);
    atomic_init(&p->roused, 0);
    atomic_init(&p->passed, 0);
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
    assert(!p->first && !atomic_load(&p->lookout));
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

/* Either side first says what it has done and then looks at the other: whoever gives posts and
 * looks for somebody in line; whoever stands in line says so, or that it looks no more, and tries.
 * So one of them sees the other. */
static void say_before_looking(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* Permits that are free, beyond those that somebody was told to look for. */
static int lying(struct permit *p)
{
    int value;
    return sem_getvalue(&p->sem, &value) == 0 ? value - atomic_load(&p->roused) : 0;
}

/* Nobody will look for one of them. */
static bool is_left_lying(struct permit *p)
{
    return lying(p) > (atomic_load(&p->lookout) != NULL);
}

static void join_locked(struct permit *p, struct permit_waiter *w, struct permit_waiter *before)
{
    struct permit_waiter *behind = before ? before->behind : p->first;
    w->before = before;
    w->behind = behind;
    *(before ? &before->behind : &p->first) = w;
    *(behind ? &behind->before : &p->last) = w;
}

static void leave_locked(struct permit *p, struct permit_waiter *w)
{
    if (w == atomic_load(&p->lookout)) {
        atomic_store(&p->lookout, NULL);
        return;
    }
    *(w->before ? &w->before->behind : &p->first) = w->behind;
    *(w->behind ? &w->behind->before : &p->last) = w->before;
}

/* Who is told must still be woken, which can be done without the mutex: it does not go before. */
static void tell_locked(struct permit *p, struct permit_waiter *w, enum fate fate)
{
    leave_locked(p, w);
    if (fate == LOOKS)
        atomic_fetch_add(&p->roused, 1);
    atomic_store(&w->fate, fate);
}

static void rouse(struct permit *p)
{
    struct permit_waiter *w;
    do {
        mutex_lock(&p->mutex);
        w = is_left_lying(p) ? p->first : NULL;
        if (w)
            tell_locked(p, w, LOOKS);
        mutex_unlock(&p->mutex);
        if (w)
            post(&w->woken);
    } while (w);
}

/* Takes a permit, or else a place: at the end or, when it has come too late, beside the line, else
 * in front. */
static int take_or_stand_locked(struct permit *p, struct permit_waiter *self)
{
    say_before_looking();
    int rc = try_take(p);
    if (rc != -EAGAIN)
        return rc;
    atomic_store(&self->fate, WAITS);
    if (self->late && !atomic_load(&p->lookout))
        atomic_store(&p->lookout, self);
    else
        join_locked(p, self, self->late ? NULL : p->last);
    return -EAGAIN;
}

static int come(struct permit *p, struct permit_waiter *self)
{
    mutex_lock(&p->mutex);
    atomic_fetch_add(&p->waiting, 1);
    int rc = take_or_stand_locked(p, self);
    mutex_unlock(&p->mutex);
    return rc;
}

/* Does what it was told. */
static int go(struct permit *p, struct permit_waiter *self)
{
    if (atomic_load(&self->fate) == HAS)
        return 0;
    atomic_fetch_sub(&p->roused, 1);
    say_before_looking();
    int rc = try_take(p); /* without the mutex, when it can */
    if (rc != -EAGAIN)
        return rc;
    self->late = true;
    mutex_lock(&p->mutex);
    rc = take_or_stand_locked(p, self);
    mutex_unlock(&p->mutex);
    return rc;
}

/* The sleep is over, and nobody has ended it; or somebody is about to. */
static int look_up(struct permit *p, struct permit_waiter *self, int64_t deadline_ns)
{
    mutex_lock(&p->mutex);
    bool told = atomic_load(&self->fate) != WAITS;
    int rc = told ? -EAGAIN : try_take(p);
    if (!told && rc == -EAGAIN && clock_now_ns() >= deadline_ns)
        rc = -ETIMEDOUT;
    if (rc != -EAGAIN)
        leave_locked(p, self);
    mutex_unlock(&p->mutex);
    if (!told)
        return rc;
    (void)wait_until(&self->woken, CLOCK_NEVER);
    return go(p, self);
}

static int wait_in_line(struct permit *p, int64_t deadline_ns)
{
    struct permit_waiter self = {.late = false};
    if (sem_init(&self.woken, 0, 0) != 0)
        abort(); /* never for 0 */
    int rc = come(p, &self);
    while (rc == -EAGAIN) {
        int64_t until_ns = deadline_ns;
        if (atomic_load(&p->lookout) == &self) {
            int64_t again_ns = clock_now_ns() + PERMIT_LOOK_NS;
            until_ns = again_ns < deadline_ns ? again_ns : deadline_ns;
        }
        rc = wait_until(&self.woken, until_ns) ? go(p, &self) : look_up(p, &self, deadline_ns);
    }
    atomic_fetch_sub(&p->waiting, 1);
    (void)sem_destroy(&self.woken);
    say_before_looking(); /* it looks out no more */
    if (is_left_lying(p))
        rouse(p);
    return rc;
}

/* It is the line's turn: others have had PERMIT_SHARE, or they leave some lying. (One that lies may
 * be on its way from hand to hand.) */
static bool is_due(struct permit *p)
{
    return atomic_load(&p->lookout) &&
           (atomic_fetch_add(&p->passed, 1) + 1 >= PERMIT_SHARE || lying(p) > 1);
}

/* Hands a permit on to the line, with its place in in_use. */
static bool hand_on(struct permit *p)
{
    mutex_lock(&p->mutex);
    struct permit_waiter *w = atomic_load(&p->debt) > 0 ? NULL : atomic_load(&p->lookout);
    if (w && p->first && ++p->handed % PERMIT_TERM != 0)
        w = p->first;
    if (w) {
        tell_locked(p, w, HAS);
        atomic_store(&p->passed, 0);
    }
    mutex_unlock(&p->mutex);
    if (w)
        post(&w->woken);
    return w != NULL;
}

static void put_back(struct permit *p)
{
    post(&p->sem);
    say_before_looking();
    if (atomic_load(&p->waiting) > 0 && !atomic_load(&p->lookout) && lying(p) > 0)
        rouse(p);
}

/* --- in and out ---------------------------------------------------------------------------- */

int permit_acquire(struct permit *p, int64_t deadline_ns)
{
    int rc = try_take(p);
    int64_t waited_ns = 0;
    if (rc == -EAGAIN) {
        int64_t start = clock_now_ns();
        rc = wait_in_line(p, deadline_ns);
        waited_ns = clock_now_ns() - start;
    }
    if (rc == 0)
        histogram_add_ns(&p->wait, waited_ns);
    return rc;
}

void permit_give(struct permit *p)
{
    if (is_due(p) && hand_on(p))
        return;
    int before = atomic_fetch_sub(&p->in_use, 1);
    assert(before > 0);
    (void)before;
    if (!pay_debt(p))
        put_back(p);
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
    rouse(p);
}

int permit_recent_peak(struct permit *p)
{
    int peak = atomic_exchange(&p->recent, 0);
    raise_to(&p->recent, atomic_load(&p->in_use)); /* those go on into the next interval */
    return peak;
}

/* Each is gone as soon as it is woken, and the next is the first then. */
void permit_stop(struct permit *p)
{
    mutex_lock(&p->mutex);
    atomic_store(&p->stopping, true);
    for (;;) {
        struct permit_waiter *w = p->first ? p->first : atomic_load(&p->lookout);
        if (!w)
            break;
        tell_locked(p, w, LOOKS);
        post(&w->woken);
    }
    mutex_unlock(&p->mutex);
}
