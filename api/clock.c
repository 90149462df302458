#include "api/clock.h"

#include "api/parts.h"

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
    bool fresh = store_clock_read(&c->last, ret);
    mutex_unlock(&c->mutex);
    return fresh;
}

bool redis_clock_now(struct call *call, double *ret)
{
    struct redis_clock *c = &call->api->clock;
    struct store_clock now;
    struct err err = {""};
    if (known(c, ret))
        return true;
    if (!call_redis(call))
        return false;
    int rc = store_clock_ask(&now, call->redis, &err);
    if (rc != 0) {
        call_fail(call, rc, &err);
        return false;
    }
    mutex_lock(&c->mutex);
    c->last = now;
    mutex_unlock(&c->mutex);
    *ret = now.redis_s;
    return true;
}
