#include "base/clock.h"

#include <limits.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_coarse_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME) / 1000;
}

int64_t clock_deadline_ms(int64_t from_now_ms)
{
    int64_t now = clock_now_ns();
    if (from_now_ms < 0 || from_now_ms > (CLOCK_NEVER - now) / NS_PER_MS)
        return CLOCK_NEVER;
    return now + from_now_ms * NS_PER_MS;
}

struct timespec clock_timespec(int64_t ns)
{
    if (ns < 0)
        ns = 0; /* before the machine started: past, but still a time that the kernel takes */
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

int clock_poll_ms(int64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER)
        return -1;
    int64_t left = deadline_ns - clock_now_ns();
    if (left <= 0)
        return 0;
    int64_t ms = left / NS_PER_MS + (left % NS_PER_MS != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}
