#include "redis/door.h"

#include "base/clock.h"

void door_init(struct door *d, int gated, int private_count)
{
    *d = (struct door){.count = {[LANE_GATED] = gated, [LANE_PRIVATE] = private_count}};
    breaker_init(&d->breaker);
}

enum breaker_ticket door_enter(struct door *d, enum lane lane, bool at_once, int64_t now_ns)
{
    struct ramp *r = &d->ramp[lane];
    if (!door_is_shut(d) && !at_once) {
        if (now_ns < ramp_next_ns(r))
            return TICKET_NONE;
        ramp_take(r, now_ns);
    }
    return breaker_enter(&d->breaker, now_ns);
}

int64_t door_opens_ns(const struct door *d, enum lane lane)
{
    switch (d->breaker.state) {
    case BREAKER_OPEN:
        return d->breaker.retry_at_ns;
    case BREAKER_TRYING:
        return CLOCK_NEVER;
    case BREAKER_CLOSED:
        break;
    }
    return ramp_next_ns(&d->ramp[lane]);
}

bool door_succeed(struct door *d, int64_t now_ns)
{
    bool was_shut = door_is_shut(d);
    for (int lane = 0; was_shut && lane < LANES; lane++)
        ramp_begin(&d->ramp[lane], now_ns, d->count[lane]);
    breaker_succeed(&d->breaker);
    return was_shut;
}

void door_fail(struct door *d, enum breaker_ticket ticket, int64_t now_ns, int code,
               const struct err *why)
{
    breaker_fail(&d->breaker, ticket, now_ns, code, why);
}

void door_abandon(struct door *d, enum breaker_ticket ticket)
{
    breaker_abandon(&d->breaker, ticket);
}

/* Not anew while a ramp lasts: connections that keep breaking must not keep others out. */
void door_lost(struct door *d, int64_t now_ns)
{
    for (int lane = 0; lane < LANES; lane++)
        if (ramp_is_over(&d->ramp[lane], now_ns))
            ramp_begin(&d->ramp[lane], now_ns, d->count[lane]);
}

bool door_is_shut(const struct door *d)
{
    return d->breaker.state != BREAKER_CLOSED;
}

int door_refuse(const struct door *d, struct err *err)
{
    if (!door_is_shut(d))
        return err_set(err, -EAGAIN, "connections to Redis come back one by one after an outage");
    return err_set(err, d->breaker.code, "Redis cannot be reached: %s", d->breaker.why.text);
}
