/*
 * How a taker gets in (redis_pool_take):
 *
 *     permit ── connection ──> in
 *       ^           │ none idle, and the breaker lets nobody connect (or the attempt failed)
 *       └── wait <──┘ the permit is given back first
 *
 * Whoever waits for the server holds no permit: permits count operations that are under way, and
 * a permit held through an outage would keep others from connections that are idle.
 *
 * Sleepers. However many wait, one of them is the lookout: it alone sleeps until the breaker's
 * delay has passed and then takes the trial; the others sleep until somebody wakes them. The
 * invariant that keeps them from sleeping for ever: while there are sleepers and no lookout, some
 * thread that was woken is still on its way, and it ends in one of the calls of wake_one_locked().
 */
#include "redis/pool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "redis/breaker.h"
#include "redis/tls.h"

struct idle {
    struct redis_conn *conn;
    int64_t since_ns;
};

enum kind { GATED, PRIVATE };

struct redis_pool {
    struct redis_options redis; /* strings in `storage` */
    char *storage;
    int max_connections, reserved;
    int64_t idle_timeout_ms;
    struct permit permit;
    atomic_size_t bulk_max;
    struct histogram op; /* how long connections were lent out */
    /* Counts the times a server was found to be no master; a connection of an earlier epoch is not
     * used again. */
    atomic_uint epoch;

    struct mutex mutex; /* guards: all below */
    struct cond chance; /* a sleeping taker may find a connection or the way to open one */
    struct cond turn;   /* the breaker has changed its state */
    int sleepers;       /* threads waiting for `chance` */
    bool has_lookout;   /* one of them watches the clock */
    bool stopping;
    struct breaker breaker;
    int open;         /* all connections, private ones and those being opened included */
    int private_open; /* of these, the private ones */
    int in_use;       /* of these, those taken, private ones included */
    int peak;         /* highest `open` */
    uint64_t given, connects, connect_failures, discarded;
    uint64_t broken, reconnects; /* broken: and not yet replaced */
    int idle_count;
    struct idle idle[]; /* a stack: the longest unused lies at the bottom */
};

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
    breaker_init(&pool->breaker);
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

static int refuse_unreachable_locked(const struct redis_pool *pool, int code, struct err *err)
{
    return err_set(err, code, "Redis cannot be reached: %s", pool->breaker.why.text);
}

/* --- sleeping and waking ------------------------------------------------------------------- */

static void wake_one_locked(struct redis_pool *pool)
{
    if (pool->sleepers > 0)
        cond_signal(&pool->chance);
}

/* The breaker has changed: a success lets everybody go on, a failure needs a new lookout. */
static void announce_locked(struct redis_pool *pool)
{
    cond_broadcast(&pool->turn);
    if (pool->breaker.state == BREAKER_CLOSED)
        cond_broadcast(&pool->chance);
    else
        wake_one_locked(pool);
}

static void sleep_locked(struct redis_pool *pool, int64_t deadline_ns)
{
    bool lookout = !pool->has_lookout && pool->breaker.state == BREAKER_OPEN;
    if (lookout) {
        pool->has_lookout = true;
        if (deadline_ns > pool->breaker.retry_at_ns)
            deadline_ns = pool->breaker.retry_at_ns;
    }
    pool->sleepers++;
    (void)cond_wait_until(&pool->chance, &pool->mutex, deadline_ns); /* the caller looks again */
    pool->sleepers--;
    if (lookout)
        pool->has_lookout = false;
}

/* Sleeps until an idle connection is worth a look or the breaker grants a ticket. */
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
        ticket = breaker_enter(&pool->breaker, now_ns);
        if (ticket != TICKET_NONE || pool->idle_count > 0)
            break;
        if (now_ns >= deadline_ns) {
            rc = refuse_unreachable_locked(pool, pool->breaker.code, err);
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
    breaker_abandon(&pool->breaker, ticket);
    announce_locked(pool);
    mutex_unlock(&pool->mutex);
}

/* --- opening and closing ------------------------------------------------------------------- */

static void count_locked(struct redis_pool *pool, enum kind kind)
{
    assert(pool->open < pool->max_connections);
    if (++pool->open > pool->peak)
        pool->peak = pool->open;
    pool->in_use++;
    if (kind == PRIVATE)
        pool->private_open++;
}

static void uncount_locked(struct redis_pool *pool, enum kind kind)
{
    pool->open--;
    pool->in_use--;
    if (kind == PRIVATE)
        pool->private_open--;
}

/* Connects with a ticket, for a connection that has been counted, and tells the breaker. */
static int open_conn(struct redis_pool *pool, enum kind kind, const struct redis_options *o,
                     enum breaker_ticket ticket, struct redis_conn **ret, struct err *err)
{
    struct err why = {""};
    unsigned epoch = atomic_load(&pool->epoch); /* before, since the address may be an old one */
    int rc = redis_conn_open(o, ret, &why);

    mutex_lock(&pool->mutex);
    if (rc == 0) {
        redis_conn_note(*ret)->epoch = epoch;
        pool->connects++;
        if (pool->broken > 0) {
            pool->broken--;
            pool->reconnects++;
        }
        breaker_succeed(&pool->breaker);
    } else {
        pool->connect_failures++;
        uncount_locked(pool, kind);
        breaker_fail(&pool->breaker, ticket, clock_now_ns(), rc, &why);
    }
    announce_locked(pool);
    mutex_unlock(&pool->mutex);
    return rc == 0 ? 0 : err_set(err, rc, "%s", why.text);
}

/* Closes first and counts afterwards: the sum at the server must not exceed the limit. */
static void close_conn(struct redis_pool *pool, enum kind kind, struct redis_conn *c)
{
    /* A private one may be closed in the middle of a wait, on purpose. */
    bool broken = kind == GATED ? redis_conn_stale(c) : redis_conn_broken(c);
    unsigned epoch = redis_conn_note(c)->epoch;
    if (redis_conn_demoted(c)) /* one of many says it first, and the others add nothing */
        (void)atomic_compare_exchange_strong(&pool->epoch, &epoch, epoch + 1);
    redis_conn_free(c);
    mutex_lock(&pool->mutex);
    uncount_locked(pool, kind);
    if (kind == GATED)
        pool->discarded++;
    if (broken)
        pool->broken++;
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
        breaker_abandon(&pool->breaker, *ticket);
        *ticket = TICKET_NONE;
        if (!pool->has_lookout)
            wake_one_locked(pool); /* it may have been us */
    } else {
        if (*ticket == TICKET_NONE)
            *ticket = breaker_enter(&pool->breaker, clock_now_ns());
        if (*ticket == TICKET_NONE)
            rc = refuse_unreachable_locked(pool, -ENOTCONN, err);
        else
            count_locked(pool, GATED);
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
            return open_conn(pool, GATED, &pool->redis, ticket, ret, err);
        if (!redis_pool_outdated(pool, c) && !redis_conn_stale(c)) {
            *ret = c;
            return 0;
        }
        close_conn(pool, GATED, c);
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
                   atomic_load(&pool->permit.limit), atomic_load(&pool->permit.waiting));
}

int redis_pool_take(struct redis_pool *pool, int64_t deadline_ns, struct redis_conn **ret,
                    struct err *err)
{
    enum breaker_ticket ticket = TICKET_NONE;
    for (bool waited = false;; waited = true) {
        int rc = permit_acquire(&pool->permit, deadline_ns);
        if (rc != 0) {
            if (waited)
                pass_on(pool, ticket);
            return refuse_permit(pool, rc, err);
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

void redis_pool_give(struct redis_pool *pool, struct redis_conn *c)
{
    bool keep = redis_conn_reusable(c) && !redis_pool_outdated(pool, c);
    histogram_add_ns(&pool->op, clock_now_ns() - redis_conn_note(c)->lent_ns);
    if (!keep)
        close_conn(pool, GATED, c);
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

int redis_pool_take_private(struct redis_pool *pool, const char *role, struct redis_conn **ret,
                            struct err *err)
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
    else if ((ticket = breaker_enter(&pool->breaker, clock_now_ns())) == TICKET_NONE)
        rc = refuse_unreachable_locked(pool, -ENOTCONN, err);
    else
        count_locked(pool, PRIVATE);
    mutex_unlock(&pool->mutex);
    if (rc == 0)
        rc = open_conn(pool, PRIVATE, &o, ticket, ret, err);
    if (rc == 0)
        redis_conn_set_bulk_max(*ret, atomic_load(&pool->bulk_max));
    return rc;
}

void redis_pool_give_private(struct redis_pool *pool, struct redis_conn *c)
{
    close_conn(pool, PRIVATE, c);
}

void redis_pool_set_bulk_max(struct redis_pool *pool, size_t bytes)
{
    atomic_store(&pool->bulk_max, bytes);
}

/* --- upkeep -------------------------------------------------------------------------------- */

void redis_pool_wait_ready(struct redis_pool *pool, int64_t deadline_ns)
{
    mutex_lock(&pool->mutex);
    for (;;) {
        int64_t now_ns = clock_now_ns();
        if (pool->stopping || now_ns >= deadline_ns || breaker_admits(&pool->breaker, now_ns))
            break;
        int64_t until_ns = deadline_ns;
        if (pool->breaker.state == BREAKER_OPEN && until_ns > pool->breaker.retry_at_ns)
            until_ns = pool->breaker.retry_at_ns;
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
            close_conn(pool, GATED, c);
        permit_give(&pool->permit);
        if (!c)
            return;
    }
}

int redis_pool_resize(struct redis_pool *pool, int permits, struct err *err)
{
    int rc = redis_pool_check(permits, pool->reserved, pool->max_connections, err);
    if (rc == 0)
        permit_resize(&pool->permit, permits);
    return rc;
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
        .permits_waiting = atomic_load(&p->waiting),
        .permits_peak = atomic_load(&p->peak),
        .permit_wait_p50_us = histogram_quantile_us(&p->wait, 0.50),
        .permit_wait_p99_us = histogram_quantile_us(&p->wait, 0.99),
        .permit_wait = &p->wait,
        .op = &pool->op,
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
    ret->breaker_open = pool->breaker.state != BREAKER_CLOSED;
    mutex_unlock(&pool->mutex);
}
