#include "support/dice.h"

static uint64_t next(struct dice *d)
{
    uint64_t z = (d->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct dice dice_of(uint64_t seed, uint64_t series)
{
    struct dice d = {seed};
    d.state = next(&d) ^ (series * UINT64_C(0xd1342543de82ef95));
    (void)next(&d); /* neighbours must not look alike */
    return d;
}

uint64_t dice_below(struct dice *d, uint64_t bound)
{
    uint64_t n = next(d); /* thrown in any case, so that bounds do not shift what follows */
    return bound ? n % bound : 0;
}

int64_t dice_between(struct dice *d, int64_t low, int64_t high)
{
    return low + (int64_t)dice_below(d, (uint64_t)(high - low + 1));
}

bool dice_percent(struct dice *d, unsigned percent)
{
    return dice_below(d, 100) < percent;
}
