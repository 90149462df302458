#include "redis/breaker.h"

#include "base/clock.h"

enum { DELAY_BASE_MS = 50, DELAY_CAP_MS = 5000 };

void breaker_init(struct breaker *b)
{
    *b = (struct breaker){.backoff = {.base_ms = DELAY_BASE_MS, .cap_ms = DELAY_CAP_MS}};
}

bool breaker_admits(const struct breaker *b, int64_t now_ns)
{
    return b->state == BREAKER_CLOSED || (b->state == BREAKER_OPEN && now_ns >= b->retry_at_ns);
}

enum breaker_ticket breaker_enter(struct breaker *b, int64_t now_ns)
{
    if (!breaker_admits(b, now_ns))
        return TICKET_NONE;
    if (b->state == BREAKER_CLOSED)
        return TICKET_FREE;
    b->state = BREAKER_TRYING;
    return TICKET_TRIAL;
}

void breaker_succeed(struct breaker *b)
{
    b->state = BREAKER_CLOSED;
    backoff_reset(&b->backoff);
}

void breaker_fail(struct breaker *b, enum breaker_ticket ticket, int64_t now_ns, int code,
                  const struct err *why)
{
    if (ticket != TICKET_TRIAL && b->state != BREAKER_CLOSED)
        return; /* a straggler of the failure that is known already */
    b->state = BREAKER_OPEN;
    b->retry_at_ns = now_ns + backoff_next_ms(&b->backoff) * NS_PER_MS;
    b->code = code;
    b->why = *why;
}

void breaker_abandon(struct breaker *b, enum breaker_ticket ticket)
{
    if (ticket == TICKET_TRIAL && b->state == BREAKER_TRYING)
        b->state = BREAKER_OPEN; /* retry_at has passed */
}
