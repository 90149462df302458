/*
 * Exponential back-off with full jitter: each delay is drawn from [base/2, ceiling], where the
 * ceiling doubles with each failure up to `cap`. Full jitter keeps a fleet that lost the same
 * server from coming back in step.
 *
 * Threads: none; whoever holds it guards it.
 */
#ifndef SLUICE_BASE_BACKOFF_H
#define SLUICE_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t base_ms; /* >= 1 */
    int64_t cap_ms;  /* >= base_ms */
    unsigned failures;
};

/* The delay before the next try, in milliseconds, counting one more failure. */
int64_t backoff_next_ms(struct backoff *b);
void backoff_reset(struct backoff *b);

#endif
