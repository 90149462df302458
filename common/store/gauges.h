/*
 * A worker's gauges: what it tells of itself beside what Sidekiq's processes tell, in fields of its
 * own in the hash `<identity>`. Sidekiq's dashboard passes over fields that it does not know.
 *
 * They go with the report (store/presence.h), in the same transaction: they cost no round trip.
 * What is counted since the start lets a reader make rates of any interval; what only makes sense
 * of an interval (peaks, times) is of the one since the report before. Times go as histograms, so
 * that those of many workers can be added up: quantiles cannot.
 *
 *     permits      {"limit":100,"in_use":3,"waiting":0,"peak":17}
 *     connections  {"limit":120,"open":20,"in_use":5,"peak":20}
 *     processed, failed
 *     duration_us, latency_us   {"1024":98,"2048":2}: 98 below 1,024 µs, two from there to 2,048
 *
 * Threads: pure functions. What is read is as others wrote it, so whatever is not of this shape
 * counts as not told.
 */
#ifndef SLUICE_STORE_GAUGES_H
#define SLUICE_STORE_GAUGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "redis/command.h"
#include "redis/reply.h"

struct gauges {
    bool known; /* false: a process of Sidekiq */
    struct {
        int64_t limit, in_use, waiting;
        int64_t peak; /* in use, since the report before */
    } permits;
    struct {
        int64_t limit, open, in_use;
        int64_t peak; /* open, since the report before */
    } connections;
    int64_t processed, failed; /* since its start; failed ones are in both */
    struct histogram duration,
        latency; /* of jobs that ended, and started, since the report before */
};

enum { GAUGE_FIELDS = 6 };
extern const char *const gauge_fields[GAUGE_FIELDS];

/* Adds field and value of each. */
void gauges_add(struct command *cmd, const struct gauges *g);

/* From the answer to an HMGET that asked for gauge_fields as its fields `first` and following. */
void gauges_read(const struct reply *answer, size_t first, struct gauges *ret);

/* Adds those of one to a sum that began zeroed; what is not known counts nothing. The sum of peaks
 * is what all together had at most, as they need not have had them at the same moment. */
void gauges_sum(struct gauges *sum, const struct gauges *g);

#endif
