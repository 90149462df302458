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

/* False when it has to be asked for. */
static bool known(struct redis_clock *c, double *ret)
{
    mutex_lock(&c->mutex);
    int64_t age_ns = clock_now_ns() - c->at_ns;
    bool fresh = c->at_ns > 0 && age_ns < LOOK_AGAIN_NS;
    if (fresh)
        *ret = c->redis_s + (double)age_ns / (double)NS_PER_S;
    mutex_unlock(&c->mutex);
    return fresh;
}

bool redis_clock_now(struct call *call, double *ret)
{
    struct redis_clock *c = &call->api->clock;
    struct err err = {""};
    double now;
    if (known(c, ret))
        return true;
    if (!call_redis(call))
        return false;
    int rc = store_time(call->redis, &now, &err);
    if (rc != 0) {
        call_fail(call, rc, &err);
        return false;
    }
    mutex_lock(&c->mutex);
    c->redis_s = now;
    c->at_ns = clock_now_ns();
    mutex_unlock(&c->mutex);
    *ret = now;
    return true;
}
