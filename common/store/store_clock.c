#include "store/store_clock.h"

#include "base/clock.h"

#define LOOK_AGAIN_NS (2 * NS_PER_S)

bool store_clock_read(const struct store_clock *c, double *ret)
{
    int64_t age_ns = clock_now_ns() - c->at_ns;
    if (c->at_ns == 0 || age_ns >= LOOK_AGAIN_NS)
        return false;
    *ret = c->redis_s + (double)age_ns / (double)NS_PER_S;
    return true;
}

int store_clock_ask(struct store_clock *c, struct redis_conn *conn, struct err *err)
{
    double now;
    int rc = store_time(conn, &now, err);
    if (rc == 0)
        *c = (struct store_clock){.redis_s = now, .at_ns = clock_now_ns()};
    return rc;
}
