/*
 * Loaded into a program by LD_PRELOAD: the wall clock, shifted. The monotonic clocks stay.
 *
 * WALLCLOCK_FILE names a file that holds a struct wallclock (wallclock.h). It is mapped, so a step
 * takes effect in the program at once, and whoever steps sees how often the clock was read. Without
 * the file nothing is shifted.
 *
 * The kernel is asked by system call: looking up the next definition would not do below the
 * interceptors of a sanitizer, which are not ready when they ask for the time first.
 */
#include "wallclock.h"
#include "shared.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct wallclock *shared;

__attribute__((constructor)) static void map(void)
{
    shared = shared_map("WALLCLOCK_FILE", sizeof *shared);
}

static int read_clock(clockid_t id, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ret);
    if (rc != 0 || !shared || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return rc;
    (void)atomic_fetch_add(&shared->reads, 1); /* the count before is of no use */
    ret->tv_sec += (time_t)atomic_load(&shared->shift_s);
    return 0;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    return read_clock(id, ret);
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec ts;
    (void)zone; /* always empty on Linux */
    if (read_clock(CLOCK_REALTIME, &ts) != 0)
        return -1;
    *ret = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec ts = {0};
    if (read_clock(CLOCK_REALTIME, &ts) != 0)
        ts.tv_sec = -1;
    if (ret)
        *ret = ts.tv_sec;
    return ts.tv_sec;
}
