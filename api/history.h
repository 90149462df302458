/*
 * The last hour of the figures, a point each five seconds: a ring in fixed memory, so that charts
 * begin with a past, whoever looks for the first time.
 *
 * Columns that are not known at a point (Redis was away, say) are null there, and so the point is
 * there all the same. Time is Redis' and rises from point to point: when that clock is set back,
 * the points that are in the future then are forgotten.
 *
 * Threads: safe from any. Ownership: embedded.
 */
#ifndef SLUICE_API_HISTORY_H
#define SLUICE_API_HISTORY_H

#include "base/buf.h"
#include "base/thread.h"

enum { HISTORY_POINTS = 720, HISTORY_INTERVAL_S = 5 };

/* In the order in which they are shown, under their names in small letters. */
enum history_column {
    HISTORY_PROCESSED, /* since ever, as is the next */
    HISTORY_FAILED,
    HISTORY_ENQUEUED,
    HISTORY_SCHEDULED,
    HISTORY_RETRIES,
    HISTORY_DEAD,
    HISTORY_BUSY,
    HISTORY_THREADS,
    HISTORY_LATENCY_S, /* of the queue that waits longest */
    HISTORY_DURATION_P50_S,
    HISTORY_DURATION_P99_S,
    HISTORY_PERMITS_IN_USE, /* sums over all workers, as are the next ones */
    HISTORY_PERMITS_LIMIT,
    HISTORY_PERMITS_WAITING,
    HISTORY_CONNECTIONS_OPEN,
    HISTORY_CONNECTIONS_LIMIT,
    HISTORY_COLUMNS
};

struct history_point {
    double t;
    double value[HISTORY_COLUMNS]; /* NAN: unknown */
};

struct history {
    struct mutex mutex; /* guards: below */
    struct history_point point[HISTORY_POINTS];
    size_t first, n; /* the oldest, and how many */
};

void history_init(struct history *h);
void history_release(struct history *h);

void history_add(struct history *h, const struct history_point *point);

/* Appends {"interval_s":5,"points":N,"now":…,"t":[…],"processed":[…],…} of the points after that
 * time. Errors: the buffer's, and -ENOMEM. */
int history_put(struct history *h, double after, double now, struct buf *out) warn_unused_result;

#endif
