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
        int rc = deadline_ns == CLOCK_NEVER ? sem_wait(sem)
                                            : sem_clockwait(sem, CLOCK_MONOTONIC, &ts);
        if (rc == 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

static void note_taken(struct permit *p, int64_t waited_ns)
{
    int now = atomic_fetch_add_explicit(&p->in_use, 1, memory_order_relaxed) + 1;
    int peak = atomic_load_explicit(&p->peak, memory_order_relaxed);
    while (now > peak &&
           !atomic_compare_exchange_weak_explicit(&p->peak, &peak, now, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
    histogram_add_ns(&p->wait, waited_ns);
}

int permit_acquire(struct permit *p, int64_t deadline_ns)
{
    if (atomic_load(&p->stopping))
        return -ECANCELED;
    if (sem_trywait(&p->sem) == 0) {
        note_taken(p, 0);
        return 0;
    }
    int64_t start = clock_now_ns();
    atomic_fetch_add(&p->waiting, 1);
    int rc = wait_until(&p->sem, deadline_ns);
    atomic_fetch_sub(&p->waiting, 1);
    if (rc != 0)
        return rc;
    if (atomic_load(&p->stopping)) {
        post(p); /* pass the wake-up on to the next waiter */
        return -ECANCELED;
    }
    note_taken(p, clock_now_ns() - start);
    return 0;
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

void permit_give(struct permit *p)
{
    int before = atomic_fetch_sub_explicit(&p->in_use, 1, memory_order_relaxed);
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
    for (; change < 0; change++)
        if (sem_trywait(&p->sem) != 0) /* none is free: the next release retires one */
            atomic_fetch_add(&p->debt, 1);
    mutex_unlock(&p->resize_mutex);
}

void permit_stop(struct permit *p)
{
    atomic_store(&p->stopping, true);
    post(p);
}
