#include "api/clock.h"

#include "api/parts.h"
#include "base/clock.h"

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

int redis_clock_now(struct call *call, double *ret, struct err *err)
{
    struct redis_clock *c = &call->api->clock;
    struct store_clock now;
    if (known(c, ret))
        return 0;
    int rc = call_gate(call, err);
    if (rc == 0)
        rc = store_clock_ask(&now, call->redis, err);
    if (rc != 0)
        return rc;
    mutex_lock(&c->mutex);
    c->last = now;
    mutex_unlock(&c->mutex);
    *ret = now.redis_s;
    return 0;
}

double redis_clock_guess(struct redis_clock *c)
{
    mutex_lock(&c->mutex);
    struct store_clock last = c->last;
    mutex_unlock(&c->mutex);
    return last.at_ns > 0 ? last.redis_s + (double)(clock_now_ns() - last.at_ns) / (double)NS_PER_S
                          : (double)clock_wall_us() / 1e6;
}
