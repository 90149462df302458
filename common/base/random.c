#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void fill(void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        n -= (size_t)got;
    }
}

/* Identifiers are drawn from a buffer per thread: a system call each would cost more than the
 * rest of an enqueue. */
static void take(unsigned char *out, size_t n)
{
    static _Thread_local unsigned char pool[256];
    static _Thread_local size_t left;
    for (size_t i = 0; i < n; i++) {
        if (left == 0) {
            fill(pool, sizeof pool);
            left = sizeof pool;
        }
        out[i] = pool[--left];
    }
}

void random_hex(char *ret, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        unsigned char b;
        take(&b, 1);
        ret[2 * i] = digits[b >> 4];
        ret[2 * i + 1] = digits[b & 15];
    }
    ret[2 * bytes] = '\0';
}

/* splitmix64 (Steele, Lea, Flood 2014), seeded once per thread. */
static uint64_t next(void)
{
    static _Thread_local uint64_t state;
    if (state == 0)
        fill(&state, sizeof state);
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t random_below(uint64_t bound)
{
    return bound ? next() % bound : 0; /* the bias is below 2^-32 for every bound used here */
}

double random_unit(void)
{
    return (double)(next() >> 11) * 0x1.0p-53;
}
