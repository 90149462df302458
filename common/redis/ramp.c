#include "redis/ramp.h"

#include <math.h>

#include "base/clock.h"
#include "base/random.h"

static void draw_moment(struct ramp *r)
{
    double part = sqrt((r->granted + random_unit()) / r->count);
    int64_t at_ns = r->begin_ns + (int64_t)(part * (double)(RAMP_MS * NS_PER_MS));
    r->next_ns = at_ns < r->end_ns ? at_ns : r->end_ns;
}

void ramp_begin(struct ramp *r, int64_t now_ns, int count)
{
    *r = (struct ramp){
        .begin_ns = now_ns,
        .end_ns = now_ns + RAMP_MS * NS_PER_MS,
        .count = count < 1 ? 1 : count,
    };
    draw_moment(r);
}

bool ramp_is_over(const struct ramp *r, int64_t now_ns)
{
    return now_ns >= r->end_ns;
}

int64_t ramp_next_ns(const struct ramp *r)
{
    return r->next_ns;
}

void ramp_take(struct ramp *r, int64_t now_ns)
{
    if (ramp_is_over(r, now_ns))
        return;
    r->granted++;
    draw_moment(r);
}
