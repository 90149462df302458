/*
 * How a taker gets in (redis_pool_take):
 *
 *     permit ── connection ──> in
 *       ^           │ none idle, and the door lets nobody connect (or the attempt failed)
 *       └── wait <──┘ the permit is given back first
 *
 * Whoever waits for the server holds no permit: permits count operations that are under way, and
 * a permit held through an outage would keep others from connections that are idle.
 *
 * Sleepers. However many wait, one of them is the lookout: it alone sleeps until the door opens
 * (the breaker's delay has passed, or it is the next one's turn after an outage) and then goes in;
 * the others sleep until somebody wakes them. The invariant that keeps them from sleeping for
 * ever: while there are sleepers and no lookout, some thread that was woken is still on its way,
 * and it ends in one of the calls of wake_one_locked().
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "redis/pool_parts.h"
#include "redis/tls.h"

int redis_pool_new(const struct redis_pool_options *o, struct redis_pool **ret, struct err *err)
{
    int rc = redis_pool_check(o->permits, o->reserved, o->max_connections, err);
    if (rc != 0)
        return rc;
    if (o->redis.tls)
        rc = tls_check(&o->redis, err);
    if (rc != 0)
        return rc;
    struct redis_pool *pool =
        calloc(1, sizeof *pool + (size_t)o->max_connections * sizeof pool->idle[0]);
    if (!pool)
        return err_set(err, -ENOMEM, "no memory for the connection pool");
    if (redis_options_copy(&o->redis, &pool->redis, &pool->storage) != 0) {
        free(pool);
        return err_set(err, -ENOMEM, "no memory for the connection pool");
    }
    pool->max_connections = o->max_connections;
    pool->reserved = o->reserved;
    pool->idle_timeout_ms = o->idle_timeout_ms;
    permit_init(&pool->permit, o->permits);
    mutex_init(&pool->mutex);
    cond_init(&pool->chance);
    cond_init(&pool->turn);
    door_init(&pool->door, o->permits, o->reserved);
    *ret = pool;
    return 0;
}

void redis_pool_free(struct redis_pool *pool)
{
    if (!pool)
        return;
    assert(pool->in_use == 0 && pool->sleepers == 0);
    for (int i = 0; i < pool->idle_count; i++)
        redis_conn_free(pool->idle[i].conn);
    cond_release(&pool->turn);
    cond_release(&pool->chance);
    mutex_release(&pool->mutex);
    permit_release_all(&pool->permit);
    free(pool->storage);
    free(pool);
}

static int refuse_stopped(struct err *err)
{
    return err_set(err, -ECANCELED, "the Redis pool is stopping");
}

/* --- sleeping and waking ------------------------------------------------------------------- */

static void wake_one_locked(struct redis_pool *pool)
{
    if (pool->sleepers > 0)
        cond_signal(&pool->chance);
}

/* The door has changed. One is enough: it goes in and wakes the next, or becomes the lookout. But
 * when it has opened there may be a lookout that still sleeps through the delay. */
static void announce_locked(struct redis_pool *pool, bool opened)
{
    cond_broadcast(&pool->turn);
    if (opened)
        cond_broadcast(&pool->chance);
    else
        wake_one_locked(pool);
}

/* Without any gated connection nobody gets on, so the first need not wait for the ramp. */
static enum breaker_ticket enter_gated_locked(struct redis_pool *pool, int64_t now_ns)
{
    return door_enter(&pool->door, LANE_GATED, pool->open == pool->private_open, now_ns);
}

static void sleep_locked(struct redis_pool *pool, int64_t deadline_ns)
{
    int64_t opens_ns = door_opens_ns(&pool->door, LANE_GATED);
    bool lookout = !pool->has_lookout && opens_ns != CLOCK_NEVER;
    if (lookout) {
        pool->has_lookout = true;
        if (deadline_ns > opens_ns)
            deadline_ns = opens_ns;
    }
    pool->sleepers++;
    (void)cond_wait_until(&pool->chance, &pool->mutex, deadline_ns); /* the caller looks again */
    pool->sleepers--;
    if (lookout)
        pool->has_lookout = false;
}

/* Sleeps until an idle connection is worth a look or the door grants a ticket. */
static int wait_for_chance(struct redis_pool *pool, int64_t deadline_ns,
                           enum breaker_ticket *ret_ticket, struct err *err)
{
    enum breaker_ticket ticket = TICKET_NONE;
    int rc = 0;
    mutex_lock(&pool->mutex);
    for (;;) {
        int64_t now_ns = clock_now_ns();
        if (pool->stopping) {
            rc = refuse_stopped(err);
            break;
        }
        ticket = enter_gated_locked(pool, now_ns);
        if (ticket != TICKET_NONE || pool->idle_count > 0)
            break;
        if (now_ns >= deadline_ns) {
            rc = door_refuse(&pool->door, err);
            if (!pool->has_lookout)
                wake_one_locked(pool); /* it may have been us */
            break;
        }
        sleep_locked(pool, deadline_ns);
    }
    mutex_unlock(&pool->mutex);
    if (rc == 0)
        *ret_ticket = ticket;
    return rc;
}

/* Leaving without having used what the wait granted: the next sleeper may. */
static void pass_on(struct redis_pool *pool, enum breaker_ticket ticket)
{
    mutex_lock(&pool->mutex);
    door_abandon(&pool->door, ticket);
    announce_locked(pool, false);
    mutex_unlock(&pool->mutex);
}

/* --- opening and closing ------------------------------------------------------------------- */

static void count_locked(struct redis_pool *pool, enum lane lane)
{
    assert(pool->open < pool->max_connections);
    if (++pool->open > pool->peak)
        pool->peak = pool->open;
    if (pool->open > pool->recent)
        pool->recent = pool->open;
    pool->in_use++;
    if (lane == LANE_PRIVATE)
        pool->private_open++;
}

static void uncount_locked(struct redis_pool *pool, enum lane lane)
{
    pool->open--;
    pool->in_use--;
    if (lane == LANE_PRIVATE)
        pool->private_open--;
}

/* Connects with a ticket, for a connection that has been counted, and tells the door. */
static int open_conn(struct redis_pool *pool, enum lane lane, const struct redis_options *o,
                     enum breaker_ticket ticket, struct redis_conn **ret, struct err *err)
{
    struct err why = {""};
    unsigned epoch = atomic_load(&pool->epoch); /* before, since the address may be an old one */
    int rc = redis_conn_open(o, ret, &why);
    bool opened = false;

    mutex_lock(&pool->mutex);
    if (rc == 0) {
        redis_conn_note(*ret)->epoch = epoch;
        pool->connects++;
        if (pool->broken > 0) {
            pool->broken--;
            pool->reconnects++;
        }
        opened = door_succeed(&pool->door, clock_now_ns());
    } else {
        pool->connect_failures++;
        uncount_locked(pool, lane);
        door_fail(&pool->door, ticket, clock_now_ns(), rc, &why);
    }
    announce_locked(pool, opened);
    mutex_unlock(&pool->mutex);
    return rc == 0 ? 0 : err_set(err, rc, "%s", why.text);
}

/* Closes first and counts afterwards: the sum at the server must not exceed the limit. */
void redis_pool_close(struct redis_pool *pool, enum lane lane, struct redis_conn *c)
{
    /* A private one may be closed in the middle of a wait, on purpose. */
    bool broken = lane == LANE_GATED ? redis_conn_stale(c) : redis_conn_broken(c);
    unsigned epoch = redis_conn_note(c)->epoch;
    if (redis_conn_demoted(c)) /* one of many says it first, and the others add nothing */
        (void)atomic_compare_exchange_strong(&pool->epoch, &epoch, epoch + 1);
    redis_conn_free(c);
    mutex_lock(&pool->mutex);
    uncount_locked(pool, lane);
    if (lane == LANE_GATED)
        pool->discarded++;
    if (broken) {
        pool->broken++;
        door_lost(&pool->door, clock_now_ns());
    }
    mutex_unlock(&pool->mutex);
}

/* --- taking and giving --------------------------------------------------------------------- */

bool redis_pool_outdated(struct redis_pool *pool, struct redis_conn *c)
{
    return redis_conn_note(c)->epoch != atomic_load(&pool->epoch);
}

/* Gives the holder of a permit either an idle connection or, with *ret NULL, a ticket and a
 * counted place for a new one. Both under one lock: places grow only while nothing is idle, hence
 * at most one per permit. */
static int claim(struct redis_pool *pool, enum breaker_ticket *ticket, struct redis_conn **ret,
                 struct err *err)
{
    int rc = 0;
    mutex_lock(&pool->mutex);
    if (pool->idle_count > 0) {
        *ret = pool->idle[--pool->idle_count].conn;
        pool->in_use++;
        door_abandon(&pool->door, *ticket);
        *ticket = TICKET_NONE;
        if (!pool->has_lookout)
            wake_one_locked(pool); /* it may have been us */
    } else {
        if (*ticket == TICKET_NONE)
            *ticket = enter_gated_locked(pool, clock_now_ns());
        if (*ticket == TICKET_NONE)
            rc = err_set(err, -ENOTCONN, "none idle, and the door is shut");
        else
            count_locked(pool, LANE_GATED);
        if (*ticket != TICKET_NONE && !pool->has_lookout)
            wake_one_locked(pool); /* it may have been us */
        *ret = NULL;
    }
    mutex_unlock(&pool->mutex);
    return rc;
}

/* A working connection for the holder of a permit. */
static int obtain(struct redis_pool *pool, enum breaker_ticket ticket, struct redis_conn **ret,
                  struct err *err)
{
    for (;;) {
        struct redis_conn *c;
        int rc = claim(pool, &ticket, &c, err);
        if (rc != 0)
            return rc;
        if (!c)
            return open_conn(pool, LANE_GATED, &pool->redis, ticket, ret, err);
        if (!redis_pool_outdated(pool, c) && !redis_conn_stale(c)) {
            *ret = c;
            return 0;
        }
        redis_pool_close(pool, LANE_GATED, c);
    }
}

/* True for failures that time may heal. */
static bool is_outage(int rc)
{
    return rc == -ENOTCONN || rc == -EAGAIN || rc == -EROFS;
}

static int refuse_permit(struct redis_pool *pool, int rc, struct err *err)
{
    if (rc == -ECANCELED)
        return refuse_stopped(err);
    return err_set(err, rc, "no Redis permit before the deadline (all %d in use, %d waiting)",
                   atomic_load(&pool->permit.limit), permit_waiting(&pool->permit));
}

int redis_pool_enter(struct redis_pool *pool, int64_t deadline_ns, struct permit_waiter *self,
                     struct redis_conn **ret, struct err *err)
{
    enum breaker_ticket ticket = TICKET_NONE;
    for (bool waited = false;; waited = true) {
        int rc = self ? permit_acquire_or_ride(&pool->permit, deadline_ns, self)
                      : permit_acquire(&pool->permit, deadline_ns);
        if (rc != 0) {
            if (waited)
                pass_on(pool, ticket);
            return rc == PERMIT_RODE ? rc : refuse_permit(pool, rc, err);
        }
        rc = obtain(pool, ticket, ret, err);
        if (rc == 0) {
            redis_conn_note(*ret)->lent_ns = clock_now_ns();
            redis_conn_set_bulk_max(*ret, atomic_load(&pool->bulk_max));
            return 0;
        }
        permit_give(&pool->permit);
        if (!is_outage(rc))
            return rc;
        rc = wait_for_chance(pool, deadline_ns, &ticket, err);
        if (rc != 0)
            return rc;
    }
}

int redis_pool_take(struct redis_pool *pool, int64_t deadline_ns, struct redis_conn **ret,
                    struct err *err)
{
    return redis_pool_enter(pool, deadline_ns, NULL, ret, err);
}

void redis_pool_give(struct redis_pool *pool, struct redis_conn *c)
{
    bool keep = redis_conn_reusable(c) && !redis_pool_outdated(pool, c);
    histogram_add_ns(&pool->op, clock_now_ns() - redis_conn_note(c)->lent_ns);
    if (!keep)
        redis_pool_close(pool, LANE_GATED, c);
    mutex_lock(&pool->mutex);
    pool->given++;
    if (keep) {
        pool->in_use--;
        pool->idle[pool->idle_count++] = (struct idle){c, clock_coarse_ns()};
    }
    wake_one_locked(pool);
    mutex_unlock(&pool->mutex);
    permit_give(&pool->permit);
}

int redis_pool_take_private(struct redis_pool *pool, const char *role, enum redis_haste haste,
                            struct redis_conn **ret, struct err *err)
{
    struct redis_options o = pool->redis;
    char name[128];
    (void)snprintf(name, sizeof name, "%s%s%s", o.name ? o.name : "", o.name ? ":" : "", role);
    o.name = name; /* cut to fit: it is for people */

    enum breaker_ticket ticket = TICKET_NONE;
    int rc = 0;
    mutex_lock(&pool->mutex);
    if (pool->stopping)
        rc = refuse_stopped(err);
    else if (pool->private_open == pool->reserved)
        rc = err_set(err, -EBUSY, "all %d reserved connections are open", pool->reserved);
    else if ((ticket = door_enter(&pool->door, LANE_PRIVATE, haste == REDIS_AT_ONCE,
                                  clock_now_ns())) == TICKET_NONE)
        rc = door_refuse(&pool->door, err);
    else
        count_locked(pool, LANE_PRIVATE);
    if (rc == -EAGAIN && door_is_shut(&pool->door))
        rc = -ENOTCONN; /* it loads, say: -EAGAIN means here that the turn will come */
    mutex_unlock(&pool->mutex);
    if (rc == 0)
        rc = open_conn(pool, LANE_PRIVATE, &o, ticket, ret, err);
    if (rc == 0)
        redis_conn_set_bulk_max(*ret, atomic_load(&pool->bulk_max));
    return rc;
}

void redis_pool_give_private(struct redis_pool *pool, struct redis_conn *c)
{
    redis_pool_close(pool, LANE_PRIVATE, c);
}

void redis_pool_set_bulk_max(struct redis_pool *pool, size_t bytes)
{
    atomic_store(&pool->bulk_max, bytes);
}
