/*
 * A histogram of durations in power-of-two buckets of microseconds: bucket i counts values below
 * 2^i µs, the last one all others. 32 buckets reach half an hour, with a relative error of at most
 * 2, which is enough to tell "microseconds" from "seconds" at a glance and costs two atomic adds.
 *
 * Threads: add from any thread without a lock; a snapshot is not atomic across buckets.
 */
#ifndef SLUICE_BASE_HISTOGRAM_H
#define SLUICE_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 32 };

struct histogram {
    atomic_uint_fast64_t count[HISTOGRAM_BUCKETS];
    atomic_uint_fast64_t sum_us;
};

void histogram_add_ns(struct histogram *h, int64_t ns);
uint64_t histogram_total(const struct histogram *h);

/* Adds all of another one; takes away all of an earlier state of the same one, which leaves what
 * came since. */
void histogram_add(struct histogram *h, const struct histogram *other);
void histogram_subtract(struct histogram *h, const struct histogram *earlier);

/* The upper bound in µs of the bucket that holds quantile q (0..1]; 0 when empty. */
uint64_t histogram_quantile_us(const struct histogram *h, double q);

#endif
