#include "base/permit.h"

#include <assert.h>
#include <stdlib.h>

void permit_init(struct permit *p, int limit)
{
    assert(limit >= 1);
    if (sem_init(&p->sem, 0, (unsigned)limit) != 0)
        abort(); /* only fails for a limit beyond SEM_VALUE_MAX, which the settings exclude */
    mutex_init(&p->mutex);
    cond_init(&p->look);
    for (int i = 0; i < PERMIT_LANES; i++) {
        p->lane[i] = (struct permit_lane){.sleeping = 0};
        cond_init(&p->lane[i].cond);
    }
    p->next_in = p->next_out = 0;
    p->kept = false;
    atomic_init(&p->roused, 0);
    atomic_init(&p->lookout, false);
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
    cond_release(&p->look);
    for (int i = 0; i < PERMIT_LANES; i++)
        cond_release(&p->lane[i].cond);
    mutex_release(&p->mutex);
    (void)sem_destroy(&p->sem);
}

static void post(struct permit *p)
{
    if (sem_post(&p->sem) != 0)
        abort(); /* overflow: a permit was given back twice */
}

static void raise_to(atomic_int *peak, int now)
{
    int was = atomic_load_explicit(peak, memory_order_relaxed);
    while (now > was && !atomic_compare_exchange_weak_explicit(
                            peak, &was, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

static void note_taken(struct permit *p, int64_t waited_ns)
{
    int now = atomic_fetch_add(&p->in_use, 1) + 1;
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

/* While a lowered limit is being paid back, what comes off the semaphore is retired: a release that
 * ran beside the resize may have posted without seeing the debt. */
static int try_take(struct permit *p)
{
    if (atomic_load(&p->stopping))
        return -ECANCELED;
    while (sem_trywait(&p->sem) == 0)
        if (!pay_debt(p))
            return 0;
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

/* Permits are free, beyond those for which somebody will look. */
static bool is_left_lying(struct permit *p)
{
    int value;
    return sem_getvalue(&p->sem, &value) == 0 &&
           value > atomic_load(&p->roused) + atomic_load(&p->lookout);
}

/* Who is to be roused, or NULL. To be signalled without the mutex, for which it would only wait. */
static struct cond *next_locked(struct permit *p)
{
    for (int i = 0; i < PERMIT_LANES && is_left_lying(p); i++) {
        struct permit_lane *lane = &p->lane[p->next_out++ % PERMIT_LANES];
        if (lane->sleeping > lane->roused) {
            lane->roused++;
            atomic_fetch_add(&p->roused, 1);
            return &lane->cond;
        }
    }
    return NULL;
}

static void rouse(struct permit *p)
{
    struct cond *cond;
    do {
        mutex_lock(&p->mutex);
        cond = next_locked(p);
        mutex_unlock(&p->mutex);
        if (cond)
            cond_signal(cond);
    } while (cond);
}

/* One whose time is over may be taken for one that was roused: then one more is roused. */
static void sleep_locked(struct permit *p, int64_t deadline_ns)
{
    struct permit_lane *lane = &p->lane[p->next_in++ % PERMIT_LANES];
    lane->sleeping++;
    (void)cond_wait_until(&lane->cond, &p->mutex, deadline_ns); /* the caller looks again */
    lane->sleeping--;
    if (lane->roused > 0) {
        lane->roused--;
        atomic_fetch_sub(&p->roused, 1);
    }
}

static void look_out_locked(struct permit *p, int64_t deadline_ns)
{
    int64_t again_ns = clock_now_ns() + PERMIT_LOOK_NS;
    atomic_store(&p->lookout, true);
    (void)cond_wait_until(&p->look, &p->mutex, again_ns < deadline_ns ? again_ns : deadline_ns);
    atomic_store(&p->lookout, false);
}

static int take_locked(struct permit *p, bool late)
{
    say_before_looking();
    if (!late || !p->kept || atomic_load(&p->stopping))
        return try_take(p);
    p->kept = false;
    return pay_debt(p) ? -EAGAIN : 0;
}

static int wait_in_line(struct permit *p, int64_t deadline_ns)
{
    int rc;
    mutex_lock(&p->mutex);
    atomic_fetch_add(&p->waiting, 1);
    for (bool late = false;; late = true) { /* late: it was woken, and others were faster */
        rc = take_locked(p, late);
        if (rc != -EAGAIN)
            break;
        if (clock_now_ns() >= deadline_ns) {
            rc = -ETIMEDOUT;
            break;
        }
        if (late && !atomic_load(&p->lookout))
            look_out_locked(p, deadline_ns);
        else
            sleep_locked(p, deadline_ns);
    }
    atomic_fetch_sub(&p->waiting, 1);
    mutex_unlock(&p->mutex);
    if (is_left_lying(p))
        rouse(p); /* it was left for this one to look for */
    return rc;
}

/* A permit that was given back, for the line. False when it need not be: then it is anybody's. */
static bool keep(struct permit *p)
{
    if (!atomic_load(&p->lookout) || (atomic_fetch_add(&p->passed, 1) + 1) % PERMIT_SHARE != 0)
        return false;
    mutex_lock(&p->mutex);
    bool kept = atomic_load(&p->lookout) && !p->kept;
    p->kept = p->kept || kept;
    mutex_unlock(&p->mutex);
    if (kept)
        cond_signal(&p->look);
    return kept;
}

static void put_back(struct permit *p)
{
    post(p);
    say_before_looking();
    if (atomic_load(&p->waiting) > 0 && is_left_lying(p))
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
        note_taken(p, waited_ns);
    return rc;
}

void permit_give(struct permit *p)
{
    int before = atomic_fetch_sub(&p->in_use, 1);
    assert(before > 0);
    (void)before;
    if (!pay_debt(p) && !keep(p))
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
            post(p);
    if (change < 0)
        atomic_fetch_add(&p->debt, -change); /* before looking for free ones: none slips past */
    while (atomic_load(&p->debt) > 0 && sem_trywait(&p->sem) == 0)
        if (!pay_debt(p))
            post(p); /* releases were faster: the debt is paid */
    mutex_unlock(&p->mutex);
    rouse(p);
}

int permit_recent_peak(struct permit *p)
{
    int peak = atomic_exchange(&p->recent, 0);
    raise_to(&p->recent, atomic_load(&p->in_use)); /* those go on into the next interval */
    return peak;
}

void permit_stop(struct permit *p)
{
    mutex_lock(&p->mutex);
    atomic_store(&p->stopping, true);
    for (int i = 0; i < PERMIT_LANES; i++)
        cond_broadcast(&p->lane[i].cond);
    cond_broadcast(&p->look);
    mutex_unlock(&p->mutex);
}
