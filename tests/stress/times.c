#include "times.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/support.h"

void times_add(struct times *t, int64_t ms)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->ms = realloc(t->ms, t->cap * sizeof *t->ms);
        ck_assert_ptr_nonnull(t->ms);
    }
    t->ms[t->n++] = ms;
}

void times_release(struct times *t)
{
    free(t->ms);
    *t = (struct times){0};
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double share(const struct times *t, size_t percent)
{
    return (double)t->ms[(t->n * percent + 99) / 100 - 1] / 1000; /* the nearest rank */
}

const char *times_text(struct times *t, char *ret, size_t size)
{
    if (t->n > 0)
        qsort(t->ms, t->n, sizeof *t->ms, compare);
    if (t->n > 0)
        (void)snprintf(ret, size, "p50 %.1f s, p99 %.1f s, max %.1f s", share(t, 50), share(t, 99),
                       share(t, 100));
    else
        (void)snprintf(ret, size, "none measured");
    return ret;
}
