/*
 * What is known of a job by its record as far as one line about its output wants it, for many jobs
 * at once: HGETALL (store/job_view.h) would bring results and errors along. Reads only.
 *
 * A job without a record is not tracked, has not started, or ended too long ago.
 */
#ifndef SLUICE_STORE_JOB_LABELS_H
#define SLUICE_STORE_JOB_LABELS_H

#include <stdbool.h>

#include "store/store.h"

struct job_labels {
    bool recorded;
    struct slice klass, queue; /* empty: not known */
    double started_at;         /* its latest run; 0: not known */
    int64_t length;            /* of its stream */
};

/* Calls each() for every job in order, with what it borrows for the call; one round trip. A key of
 * another type is none. After a failure replies may be outstanding: the connection is to be closed.
 */
typedef void job_labels_each(void *ctx, size_t i, const struct job_labels *labels);
int store_job_labels(const struct store *s, struct redis_conn *c, const char *const *jids, size_t n,
                     job_labels_each *each, void *ctx, struct err *err) warn_unused_result;

#endif
