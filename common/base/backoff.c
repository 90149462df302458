#include "base/backoff.h"

#include <limits.h>

#include "base/random.h"

int64_t backoff_next_ms(struct backoff *b)
{
    int64_t ceiling = b->base_ms;
    for (unsigned i = 0; i < b->failures && ceiling < b->cap_ms; i++)
        ceiling = ceiling > b->cap_ms / 2 ? b->cap_ms : ceiling * 2;
    if (b->failures < UINT_MAX) /* an outage may last; its delay must not start over */
        b->failures++;
    int64_t floor = b->base_ms / 2;
    return floor + (int64_t)random_below((uint64_t)(ceiling - floor) + 1);
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
