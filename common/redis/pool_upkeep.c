/* The pool, seen from outside its gate: sizes, tending, figures, the end. */
#include <string.h>

#include "base/clock.h"
#include "redis/pool_parts.h"

int redis_pool_check(int permits, int reserved, int max_connections, struct err *err)
{
    if (permits < 1 || reserved < 0)
        return err_set(err, -EINVAL, "at least 1 permit is needed, not %d", permits);
    if (max_connections - reserved < permits)
        return err_set(err, -EINVAL,
                       "%d permits + %d reserved connections = %lld do not fit into %d connections",
                       permits, reserved, (long long)permits + reserved, max_connections);
    return 0;
}

void redis_pool_wait_ready(struct redis_pool *pool, int64_t deadline_ns)
{
    mutex_lock(&pool->mutex);
    for (;;) {
        int64_t now_ns = clock_now_ns();
        if (pool->stopping || now_ns >= deadline_ns || breaker_admits(&pool->door.breaker, now_ns))
            break;
        int64_t until_ns = deadline_ns;
        if (pool->door.breaker.state == BREAKER_OPEN && until_ns > pool->door.breaker.retry_at_ns)
            until_ns = pool->door.breaker.retry_at_ns;
        (void)cond_wait_until(&pool->turn, &pool->mutex, until_ns); /* the loop looks again */
    }
    mutex_unlock(&pool->mutex);
}

/* Takes the longest unused connection off the stack if it has been idle for too long. */
static struct redis_conn *take_expired(struct redis_pool *pool)
{
    struct redis_conn *c = NULL;
    mutex_lock(&pool->mutex);
    int64_t limit_ns = clock_coarse_ns() - pool->idle_timeout_ms * NS_PER_MS;
    if (pool->idle_count > 0 && pool->idle[0].since_ns <= limit_ns) {
        c = pool->idle[0].conn;
        pool->idle_count--;
        memmove(&pool->idle[0], &pool->idle[1], (size_t)pool->idle_count * sizeof pool->idle[0]);
        pool->in_use++;
    }
    mutex_unlock(&pool->mutex);
    return c;
}

/* Closing takes a permit like any use of a connection: else a taker might open its successor
 * while this one still counts. When no permit is free, the pool is not idle. */
void redis_pool_tend(struct redis_pool *pool)
{
    while (pool->idle_timeout_ms > 0 && permit_acquire(&pool->permit, 0) == 0) {
        struct redis_conn *c = take_expired(pool);
        if (c)
            redis_pool_close(pool, LANE_GATED, c);
        permit_give(&pool->permit);
        if (!c)
            return;
    }
}

int redis_pool_resize(struct redis_pool *pool, int permits, struct err *err)
{
    int rc = redis_pool_check(permits, pool->reserved, pool->max_connections, err);
    if (rc != 0)
        return rc;
    permit_resize(&pool->permit, permits);
    mutex_lock(&pool->mutex);
    pool->door.count[LANE_GATED] = permits;
    mutex_unlock(&pool->mutex);
    return 0;
}

void redis_pool_stop(struct redis_pool *pool)
{
    permit_stop(&pool->permit);
    mutex_lock(&pool->mutex);
    pool->stopping = true;
    cond_broadcast(&pool->chance);
    cond_broadcast(&pool->turn);
    mutex_unlock(&pool->mutex);
}

void redis_pool_stats(struct redis_pool *pool, struct redis_pool_stats *ret)
{
    const struct permit *p = &pool->permit;
    *ret = (struct redis_pool_stats){
        .permits_limit = atomic_load(&p->limit),
        .permits_in_use = atomic_load(&p->in_use),
        .permits_waiting = permit_waiting(p),
        .permits_peak = atomic_load(&p->peak),
        .permit_wait_p50_us = histogram_quantile_us(&p->wait, 0.50),
        .permit_wait_p99_us = histogram_quantile_us(&p->wait, 0.99),
        .permit_wait = &p->wait,
        .op = &pool->op,
        .rode = atomic_load(&pool->rode),
    };
    mutex_lock(&pool->mutex);
    ret->connections_limit = pool->max_connections;
    ret->connections_open = pool->open;
    ret->connections_in_use = pool->in_use;
    ret->connections_peak = pool->peak;
    ret->reserved = pool->reserved;
    ret->reserved_open = pool->private_open;
    ret->connects = pool->connects;
    ret->connect_failures = pool->connect_failures;
    ret->discarded = pool->discarded;
    ret->reconnects = pool->reconnects;
    ret->takes = pool->given + (uint64_t)(pool->in_use - pool->private_open);
    ret->breaker_open = door_is_shut(&pool->door);
    mutex_unlock(&pool->mutex);
}

void redis_pool_recent_peaks(struct redis_pool *pool, int *ret_permits, int *ret_connections)
{
    *ret_permits = permit_recent_peak(&pool->permit);
    mutex_lock(&pool->mutex);
    *ret_connections = pool->recent;
    pool->recent = pool->open;
    mutex_unlock(&pool->mutex);
}
