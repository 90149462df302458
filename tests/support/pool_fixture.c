#include "support/pool_fixture.h"

#include "base/clock.h"
#include "support/support.h"

enum { HANG_MS = 60000 };

struct redis_pool *must_pool(const struct redis_pool_options *o)
{
    struct redis_pool *pool = NULL;
    struct err err = {""};
    if (redis_pool_new(o, &pool, &err) != 0)
        ck_abort_msg("%s", err.text);
    return pool;
}

struct redis_conn *must_take(struct redis_pool *pool)
{
    struct redis_conn *c = NULL;
    struct err err = {""};
    if (redis_pool_take(pool, clock_deadline_ms(HANG_MS), &c, &err) != 0)
        ck_abort_msg("take: %s", err.text);
    return c;
}

struct redis_pool_stats pool_stats(struct redis_pool *pool)
{
    struct redis_pool_stats s;
    redis_pool_stats(pool, &s);
    return s;
}
