#include "base/histogram.h"

void histogram_add_ns(struct histogram *h, int64_t ns)
{
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    int i = us ? 64 - __builtin_clzll(us) : 0; /* smallest i with us < 2^i */
    if (i >= HISTOGRAM_BUCKETS)
        i = HISTOGRAM_BUCKETS - 1;
    atomic_fetch_add_explicit(&h->count[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

void histogram_add(struct histogram *h, const struct histogram *other)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        atomic_fetch_add_explicit(&h->count[i],
                                  atomic_load_explicit(&other->count[i], memory_order_relaxed),
                                  memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us,
                              atomic_load_explicit(&other->sum_us, memory_order_relaxed),
                              memory_order_relaxed);
}

void histogram_subtract(struct histogram *h, const struct histogram *earlier)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        atomic_fetch_sub_explicit(&h->count[i],
                                  atomic_load_explicit(&earlier->count[i], memory_order_relaxed),
                                  memory_order_relaxed);
    atomic_fetch_sub_explicit(&h->sum_us,
                              atomic_load_explicit(&earlier->sum_us, memory_order_relaxed),
                              memory_order_relaxed);
}

uint64_t histogram_total(const struct histogram *h)
{
    uint64_t total = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += atomic_load_explicit(&h->count[i], memory_order_relaxed);
    return total;
}

uint64_t histogram_quantile_us(const struct histogram *h, double q)
{
    uint64_t total = histogram_total(h), seen = 0;
    if (total == 0)
        return 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += atomic_load_explicit(&h->count[i], memory_order_relaxed);
        if ((double)seen >= q * (double)total)
            return UINT64_C(1) << i;
    }
    return UINT64_C(1) << (HISTOGRAM_BUCKETS - 1);
}
