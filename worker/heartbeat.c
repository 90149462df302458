#include "worker/heartbeat.h"

#include "base/clock.h"
#include "base/log.h"

enum { RENEWALS_PER_LEASE = 4, RETRY_MS = 50 };

/* After an outage the living come back one by one: each has renewed its lease within this time, the
 * longest delay of redis/breaker and a second for the rest. */
#define RETURN_NS (6 * NS_PER_S)

#define ASK_MAX_NS (15 * NS_PER_S)

/* A renewal that takes this part of the lease means that Redis, or we, stood still. */
static int64_t stall_ns(const struct heartbeat *h)
{
    return h->lease_ns / 4;
}

/* Nobody has met trouble for a full lease, and long enough for all the living to have come back. */
static bool is_untroubled(const struct heartbeat *h, int64_t now_ns)
{
    int64_t calm_ns = h->lease_ns > RETURN_NS ? h->lease_ns : RETURN_NS;
    return now_ns - atomic_load(&h->calm_since_ns) >= calm_ns;
}

/* What a renewal asks for besides grows old. */
static bool is_due_to_ask(const struct heartbeat *h, int64_t now_ns)
{
    int64_t after_ns = h->lease_ns < ASK_MAX_NS ? h->lease_ns : ASK_MAX_NS;
    return !is_untroubled(h, now_ns) || now_ns - h->asked_ns >= after_ns;
}

/* A lease that was alive may have lapsed all the same since the last answer that came: then a
 * renewal in between has brought it back, and its reply was lost. */
static void note_state(struct heartbeat *h, const struct lease_state *state)
{
    int64_t renewed = atomic_load(&h->renewed_ns);
    h->asked_ns = clock_now_ns();
    if (renewed != 0 && (!state->was_alive || h->asked_ns - renewed >= h->lease_ns)) {
        atomic_fetch_add(&h->generation, 1);
        log_warn("lease had lapsed: jobs may have been given to other workers",
                 log_int("generation", (int64_t)atomic_load(&h->generation)));
    }
    atomic_store(&h->redis_offset_us, (int64_t)(state->now * 1e6) - h->asked_ns / 1000);
    atomic_store(&h->registered, state->claims);
}

static void note_renewed(struct heartbeat *h, int64_t began_ns)
{
    int64_t now = clock_now_ns();
    if (now - began_ns > stall_ns(h)) {
        log_warn("renewing the lease was slow", log_int("ms", (now - began_ns) / NS_PER_MS));
        heartbeat_note_trouble(h);
    }
    mutex_lock(&h->mutex);
    atomic_store(&h->renewed_ns, began_ns);
    cond_broadcast(&h->changed);
    mutex_unlock(&h->mutex);
}

/* Renews the lease, and asks for all when that is due or the lease turns out to have lapsed. */
static int renew(struct heartbeat *h, struct redis_conn *conn, struct err *err)
{
    struct lease_state state;
    int64_t lease_ms = h->lease_ns / NS_PER_MS;
    bool alive = false;
    if (!is_due_to_ask(h, clock_now_ns())) {
        int rc = store_lease_extend(h->store, conn, lease_ms, &alive, err);
        if (rc != 0 || alive)
            return rc;
    }
    int rc = store_lease_renew(h->store, conn, lease_ms, &state, err);
    if (rc == 0)
        note_state(h, &state);
    return rc;
}

/* One renewal; opens the connection when there is none. Returns the pause until the next. */
static int64_t beat(struct heartbeat *h, struct redis_conn **conn)
{
    struct err err = {""};
    int64_t interval = h->lease_ns / RENEWALS_PER_LEASE;
    int64_t began = clock_now_ns();
    int rc = 0;
    if (!*conn)
        rc = redis_pool_take_private(h->pool, "heartbeat", REDIS_AT_ONCE, conn, &err);
    if (rc == 0) /* a renewal that comes after the lease is of no use */
        rc = redis_conn_set_timeout(*conn, (int)(h->lease_ns / NS_PER_MS / 2));
    if (rc == 0) {
        began = clock_now_ns();
        rc = renew(h, *conn, &err);
    }
    if (rc == 0) {
        note_renewed(h, began);
        return interval;
    }
    if (*conn && (rc == -ENOTCONN || redis_conn_broken(*conn))) {
        redis_pool_give_private(h->pool, *conn);
        *conn = NULL;
    }
    heartbeat_note_trouble(h);
    log_warn("could not renew the lease", log_str("error", err.text));
    return interval / 4;
}

static void *heartbeat_main(void *arg)
{
    struct heartbeat *h = arg;
    struct redis_conn *conn = NULL;
    mutex_lock(&h->mutex);
    while (!h->stopping) {
        mutex_unlock(&h->mutex);
        int64_t next = clock_now_ns();
        atomic_store(&h->moved_ns, next);
        next += beat(h, &conn);
        if (!conn) { /* as soon as the breaker allows, but never in a busy loop */
            redis_pool_wait_ready(h->pool, next);
            next = clock_deadline_ms(RETRY_MS);
        }
        mutex_lock(&h->mutex);
        while (!h->stopping && clock_now_ns() < next)
            cond_wait_until(&h->changed, &h->mutex, next);
    }
    mutex_unlock(&h->mutex);
    if (conn)
        redis_pool_give_private(h->pool, conn);
    return NULL;
}

void heartbeat_init(struct heartbeat *h, const struct store *store, struct redis_pool *pool,
                    double lease_s)
{
    *h = (struct heartbeat){
        .store = store, .pool = pool, .lease_ns = (int64_t)(lease_s * (double)NS_PER_S)};
    atomic_init(&h->calm_since_ns, clock_now_ns());
    atomic_init(&h->redis_offset_us, clock_wall_us() - clock_now_ns() / 1000);
    mutex_init(&h->mutex);
    cond_init(&h->changed);
}

int heartbeat_start(struct heartbeat *h)
{
    return thread_start(&h->thread, "heartbeat", heartbeat_main, h);
}

void heartbeat_stop(struct heartbeat *h)
{
    mutex_lock(&h->mutex);
    h->stopping = true;
    cond_broadcast(&h->changed);
    mutex_unlock(&h->mutex);
    thread_join(&h->thread);
}

void heartbeat_release(struct heartbeat *h)
{
    cond_release(&h->changed);
    mutex_release(&h->mutex);
}

static int64_t age_at(const struct heartbeat *h, int64_t mono_ns)
{
    int64_t renewed = atomic_load(&h->renewed_ns);
    return renewed == 0 ? INT64_MAX : mono_ns - renewed;
}

bool heartbeat_fresh_at(const struct heartbeat *h, int64_t mono_ns)
{
    return age_at(h, mono_ns) < h->lease_ns;
}

bool heartbeat_fresh(const struct heartbeat *h)
{
    return heartbeat_fresh_at(h, clock_now_ns());
}

bool heartbeat_wait_fresh(struct heartbeat *h, int64_t deadline_ns)
{
    mutex_lock(&h->mutex);
    while (!heartbeat_fresh(h) && !h->stopping)
        if (!cond_wait_until(&h->changed, &h->mutex, deadline_ns))
            break;
    bool fresh = heartbeat_fresh(h) && !h->stopping;
    mutex_unlock(&h->mutex);
    return fresh;
}

bool heartbeat_may_wait(const struct heartbeat *h)
{
    return age_at(h, clock_now_ns()) < h->lease_ns / 3;
}

double heartbeat_wait_seconds(const struct heartbeat *h)
{
    return ((double)h->lease_ns * 0.9 - (double)age_at(h, clock_now_ns())) / (double)NS_PER_S;
}

bool heartbeat_calm(const struct heartbeat *h)
{
    return age_at(h, clock_now_ns()) < h->lease_ns / RENEWALS_PER_LEASE + h->lease_ns / 8 &&
           is_untroubled(h, clock_now_ns());
}

double heartbeat_calm_until(const struct heartbeat *h)
{
    return heartbeat_redis_now(h) + (double)h->lease_ns / 8 / (double)NS_PER_S;
}

void heartbeat_note_trouble(struct heartbeat *h)
{
    atomic_store(&h->calm_since_ns, clock_now_ns());
}

bool heartbeat_is_moving(const struct heartbeat *h)
{
    return clock_now_ns() - atomic_load(&h->moved_ns) < 2 * h->lease_ns + 10 * NS_PER_S;
}

uint64_t heartbeat_generation(const struct heartbeat *h)
{
    return atomic_load(&h->generation);
}

uint64_t heartbeat_registered(const struct heartbeat *h)
{
    return atomic_load(&h->registered);
}

void heartbeat_forget_registered(struct heartbeat *h)
{
    atomic_store(&h->registered, 0);
}

double heartbeat_redis_at(const struct heartbeat *h, int64_t mono_ns)
{
    return (double)(mono_ns / 1000 + atomic_load(&h->redis_offset_us)) / 1e6;
}

double heartbeat_redis_now(const struct heartbeat *h)
{
    return heartbeat_redis_at(h, clock_now_ns());
}
