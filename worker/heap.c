#include "worker/heap.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LARGE = 256 * 1024, EVERY_MS = 60000 };

static bool is_chosen(void)
{
    const char *tunables = getenv("GLIBC_TUNABLES");
    return getenv("MALLOC_ARENA_MAX") || (tunables && strstr(tunables, "arena_max"));
}

void heap_setup(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (is_chosen())
        return;
    (void)mallopt(M_ARENA_MAX, processors > 2 ? (int)processors : 2);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
}

void heap_tend(void)
{
    static int64_t due_ns;
    int64_t now_ns = clock_now_ns();
    if (now_ns < due_ns)
        return;
    due_ns = now_ns + EVERY_MS * NS_PER_MS;
    (void)malloc_trim(0);
}
