/*
 * The circuit breaker of the pool: who may try to connect, and when.
 *
 * Model. CLOSED: everybody may. A failed attempt makes it OPEN: nobody may until a jittered delay
 * has passed (50 ms, doubling to 5 s). Then the first that asks gets the trial (TRYING) and all
 * others still may not; the trial's outcome closes the breaker or opens it for longer. Attempts
 * that began while it was closed and fail late change nothing: one outage counts once.
 *
 * Threads: none of its own, and no clock; whoever holds it guards it and says what time it is.
 */
#ifndef SLUICE_REDIS_BREAKER_H
#define SLUICE_REDIS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/err.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRYING };

/* What breaker_enter() grants. All but NONE must be paid back by succeed, fail or abandon. */
enum breaker_ticket { TICKET_NONE, TICKET_FREE, TICKET_TRIAL };

struct breaker {
    enum breaker_state state;
    int64_t retry_at_ns; /* when OPEN */
    struct backoff backoff;
    int code;       /* of the last failure; meaningful unless CLOSED */
    struct err why; /* in words */
};

void breaker_init(struct breaker *b);

/* True when breaker_enter() would grant something. */
bool breaker_admits(const struct breaker *b, int64_t now_ns);
enum breaker_ticket breaker_enter(struct breaker *b, int64_t now_ns);

void breaker_succeed(struct breaker *b);
void breaker_fail(struct breaker *b, enum breaker_ticket ticket, int64_t now_ns, int code,
                  const struct err *why);

/* The holder did not try after all: the trial is free for somebody else at once. */
void breaker_abandon(struct breaker *b, enum breaker_ticket ticket);

#endif
