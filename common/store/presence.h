/*
 * Presence: this worker as Sidekiq's dashboard and processes see it (`processes`, `<identity>`,
 * `<identity>:work`, `<identity>-signals`; and `<identity>:workers`, a copy of `<identity>:work`
 * for Sidekiq up to 6.4.1, which looks for it there). Display only: nothing of Sluice's own
 * correctness rests on it. Field by field after wire.md, "What Sidekiq::Web needs from a foreign
 * process", and our own (store/gauges.h).
 *
 * May be repeated after -ENOTCONN.
 */
#ifndef SLUICE_STORE_PRESENCE_H
#define SLUICE_STORE_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/gauges.h"
#include "store/store.h"

/* One running job: the field and value of `<identity>:work`. */
struct presence_job {
    int thread;
    const char *queue;
    const char *jid;
    const char *klass;
    struct slice payload; /* shown whole up to 8 KiB, else with its args left out */
    double started_at;    /* Unix seconds */
};

struct presence {
    const char *info; /* JSON text from presence_info() */
    int threads;
    int busy;
    bool quiet;
    int64_t rtt_us;
    int64_t rss_kb;
    double now; /* Redis' time */
    struct gauges gauges;
    const struct presence_job *jobs;
    int njobs;
};

/* The constant part: host, pid, queues and so on, as one JSON object. weights may be 0. */
void presence_info(struct buf *out, const char *identity, double started_at, int threads,
                   const char *const *queues, const int *weights, int nqueues);

enum presence_signal { PRESENCE_NONE, PRESENCE_QUIET, PRESENCE_STOP, PRESENCE_DUMP };

/* Writes all of it in one transaction, for 60 s, and takes one signal that the dashboard may have
 * left (TSTP, TERM or TTIN). */
int store_presence(const struct store *s, struct redis_conn *c, const struct presence *p,
                   enum presence_signal *ret_signal, struct err *err) warn_unused_result;

/* The same where the whole has been written less than 60 s ago and there were no jobs then and are
 * none now: writes the hash only. Two round trips; -ENOENT when it is no longer there, and nothing
 * was written then. */
int store_presence_again(const struct store *s, struct redis_conn *c, const struct presence *p,
                         enum presence_signal *ret_signal, struct err *err) warn_unused_result;

/* Adds the queues of this worker to `queues`, for clients that never do. */
int store_register_queues(const struct store *s, struct redis_conn *c, const char *const *queues,
                          int n, struct err *err) warn_unused_result;

#endif
