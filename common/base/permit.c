#include "base/permit.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"

void permit_init(struct permit *p, int limit)
{
    assert(limit >= 1);
    if (sem_init(&p->sem, 0, (unsigned)limit) != 0)
        abort(); /* only fails for a limit beyond SEM_VALUE_MAX, which the settings exclude */
    mutex_init(&p->resize_mutex);
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
    mutex_release(&p->resize_mutex);
    (void)sem_destroy(&p->sem);
}

static void post(struct permit *p)
{
    if (sem_post(&p->sem) != 0)
        abort(); /* overflow: a permit was given back twice */
}

static int wait_until(sem_t *sem, int64_t deadline_ns)
{
    struct timespec ts = clock_timespec(deadline_ns);
    for (;;) {
        int rc =
            deadline_ns == CLOCK_NEVER ? sem_wait(sem) : sem_clockwait(sem, CLOCK_MONOTONIC, &ts);
        if (rc == 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

static void raise_to(atomic_int *peak, int now)
{
    int was = atomic_load_explicit(peak, memory_order_relaxed);
    while (now > was && !atomic_compare_exchange_weak_explicit(
                            peak, &was, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* Whoever gets a permit sees what was done under it before. The semaphore sees to that; the order
 * of in_use says it once more, to ThreadSanitizer, which does not know sem_clockwait(). */
static void note_taken(struct permit *p, int64_t waited_ns)
{
    int now = atomic_fetch_add_explicit(&p->in_use, 1, memory_order_acquire) + 1;
    raise_to(&p->peak, now);
    raise_to(&p->recent, now);
    histogram_add_ns(&p->wait, waited_ns);
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

/* What came off the semaphore is not yet a permit. After a stop it is the wake-up, which goes on
 * to the next waiter (-ECANCELED). While a lowered limit is being paid back it is retired
 * (-EAGAIN): a release that ran beside the resize may have posted without seeing the debt. */
static int claim(struct permit *p)
{
    if (atomic_load(&p->stopping)) {
        post(p);
        return -ECANCELED;
    }
    return pay_debt(p) ? -EAGAIN : 0;
}

static int wait_and_claim(struct permit *p, int64_t deadline_ns)
{
    atomic_fetch_add(&p->waiting, 1);
    int rc;
    do {
        rc = wait_until(&p->sem, deadline_ns);
        if (rc == 0)
            rc = claim(p);
    } while (rc == -EAGAIN);
    atomic_fetch_sub(&p->waiting, 1);
    return rc;
}

int permit_acquire(struct permit *p, int64_t deadline_ns)
{
    if (atomic_load(&p->stopping))
        return -ECANCELED;
    int rc = sem_trywait(&p->sem) == 0 ? claim(p) : -EAGAIN;
    int64_t waited_ns = 0;
    if (rc == -EAGAIN) {
        int64_t start = clock_now_ns();
        rc = wait_and_claim(p, deadline_ns);
        waited_ns = clock_now_ns() - start;
    }
    if (rc == 0)
        note_taken(p, waited_ns);
    return rc;
}

void permit_give(struct permit *p)
{
    int before = atomic_fetch_sub_explicit(&p->in_use, 1, memory_order_release);
    assert(before > 0);
    (void)before;
    if (!pay_debt(p))
        post(p);
}

void permit_resize(struct permit *p, int limit)
{
    assert(limit >= 1);
    mutex_lock(&p->resize_mutex);
    int change = limit - atomic_load(&p->limit);
    atomic_store(&p->limit, limit);
    for (; change > 0; change--)
        if (!pay_debt(p))
            post(p);
    if (change < 0)
        atomic_fetch_add(&p->debt, -change); /* before looking for free ones: none slips past */
    while (atomic_load(&p->debt) > 0 && sem_trywait(&p->sem) == 0) {
        int rc = claim(p);
        if (rc == 0)
            post(p); /* releases were faster: the debt is paid */
        if (rc != -EAGAIN)
            break;
    }
    mutex_unlock(&p->resize_mutex);
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
    post(p); /* one is enough: whoever gets it passes it on */
}
