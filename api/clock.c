#include "api/clock.h"

#include "api/parts.h"
#include "base/clock.h"

#define LOOK_AGAIN_NS (2 * NS_PER_S)

void redis_clock_init(struct redis_clock *c)
{
    mutex_init(&c->mutex);
}

void redis_clock_release(struct redis_clock *c)
{
    mutex_release(&c->mutex);
}

static double carry_on_locked(const struct redis_clock *c, int64_t now_ns)
{
    return c->redis_s + (double)(now_ns - c->at_ns) / (double)NS_PER_S;
}

/* False when it has to be asked for. */
static bool known(struct redis_clock *c, double *ret)
{
    mutex_lock(&c->mutex);
    int64_t now_ns = clock_now_ns();
    bool fresh = c->at_ns > 0 && now_ns - c->at_ns < LOOK_AGAIN_NS;
    if (fresh)
        *ret = carry_on_locked(c, now_ns);
    mutex_unlock(&c->mutex);
    return fresh;
}

int redis_clock_now(struct call *call, double *ret, struct err *err)
{
    struct redis_clock *c = &call->api->clock;
    double now;
    if (known(c, ret))
        return 0;
    int rc = call_gate(call, err);
    if (rc == 0)
        rc = store_time(call->redis, &now, err);
    if (rc != 0)
        return rc;
    mutex_lock(&c->mutex);
    c->redis_s = now;
    c->at_ns = clock_now_ns();
    mutex_unlock(&c->mutex);
    *ret = now;
    return 0;
}

double redis_clock_guess(struct redis_clock *c)
{
    mutex_lock(&c->mutex);
    double now = c->at_ns > 0 ? carry_on_locked(c, clock_now_ns()) : (double)clock_wall_us() / 1e6;
    mutex_unlock(&c->mutex);
    return now;
}
