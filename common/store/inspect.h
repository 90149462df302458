/*
 * Inspection: what an operator asks about. Reads only; each function is a handful of round trips
 * and takes no lock anywhere, so figures of a busy system are of slightly different instants.
 *
 * Keys of the wrong type read as empty and are marked, so that one bad key never hides the rest.
 */
#ifndef SLUICE_STORE_INSPECT_H
#define SLUICE_STORE_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/gauges.h"
#include "store/store.h"

struct store_stats {
    int64_t processed, failed;             /* since ever */
    int64_t processed_today, failed_today; /* UTC day by Redis' clock */
    int64_t enqueued;                      /* in all queues */
    int64_t claimed;                       /* entries in claims of all workers, settled ones too */
    int64_t scheduled, retries, dead;
    int64_t workers, busy; /* processes that reported of late, jobs they run */
    double now;
};
int store_stats(const struct store *s, struct redis_conn *c, struct store_stats *ret,
                struct err *err) warn_unused_result;

struct queue_info {
    char *name;
    int64_t size;
    double latency_s; /* age of the next job; 0 when empty or unknown */
    bool paused;
    bool wrong_type;
};
/* Sorted by name. */
int store_queues(const struct store *s, struct redis_conn *c, struct queue_info **ret,
                 size_t *ret_n, struct err *err) warn_unused_result;
void queue_infos_free(struct queue_info *q, size_t n);

struct worker_info {
    char *identity;
    char *info; /* the JSON object as the process wrote it, "" when it is gone */
    int64_t busy, concurrency, rss_kb, rtt_us;
    double beat; /* Redis' time of the last report */
    bool quiet;
    bool lease;     /* holds a Sluice lease now; false for Sidekiq's processes */
    bool sluice;    /* is in sluice:workers */
    int64_t claims; /* entries in its registry */
    struct gauges gauges;
};
/* Everything in `processes` or in sluice:workers, sorted by identity; of very many the first. */
enum { INSPECT_PROCESSES_MAX = 5000 };
int store_workers(const struct store *s, struct redis_conn *c, struct worker_info **ret,
                  size_t *ret_n, struct err *err) warn_unused_result;
/* Whether it takes jobs of the queue, as far as it has reported: one that has not yet may. */
bool worker_info_serves(const struct worker_info *w, const char *queue);
/* A process that was killed goes on reporting what it did last, for a minute: that is none. */
bool worker_info_lives(const struct worker_info *w);
void worker_infos_free(struct worker_info *w, size_t n);

#endif
