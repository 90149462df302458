/*
 * What inspection finds, as JSON: the same objects from `sluice … --json` and from the HTTP API.
 *
 * What others wrote into Redis is passed on as it is when it is JSON of the right kind, else as a
 * string, so that what is written here is always valid.
 *
 * Threads: pure functions. Errors: the buffer's.
 */
#ifndef SLUICE_STORE_INSPECT_JSON_H
#define SLUICE_STORE_INSPECT_JSON_H

#include "base/buf.h"
#include "store/cancel.h"
#include "store/inspect.h"
#include "store/job_view.h"

void inspect_put_stats(struct buf *out, const struct store_stats *s);
void inspect_put_queues(struct buf *out, const struct queue_info *q, size_t n);
void inspect_put_workers(struct buf *out, const struct worker_info *w, size_t n);
/* {"jid":…,"state":…, …}; times and counts are numbers, the result is what it was. */
void inspect_put_job(struct buf *out, const char *jid, const struct reply *record);
void inspect_put_cancellation(struct buf *out, const char *jid, const struct cancellation *c);

/* "running", "quiet", "starting", "lost" or "gone". */
const char *worker_info_state(const struct worker_info *w);

/* The fields of a job's record in the order of its life. */
struct job_field {
    const char *name;
    enum job_field_kind { JOB_TEXT, JOB_NUMBER, JOB_TIME, JOB_SECONDS, JOB_JSON } kind;
};
enum { JOB_FIELDS = 13 };
extern const struct job_field job_fields[JOB_FIELDS];

#endif
