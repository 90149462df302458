#include "base/backoff.h"

#include "base/random.h"

int64_t backoff_next_ms(struct backoff *b)
{
    int64_t ceiling = b->base_ms;
    for (unsigned i = 0; i < b->failures && ceiling < b->cap_ms; i++)
        ceiling *= 2;
    if (ceiling > b->cap_ms)
        ceiling = b->cap_ms;
    b->failures++;
    int64_t floor = b->base_ms / 2;
    return floor + (int64_t)random_below((uint64_t)(ceiling - floor) + 1);
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
