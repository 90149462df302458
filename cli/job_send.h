/*
 * Sending a job list: each queue's jobs in their order, in batches that are one write each.
 *
 * When the connection breaks, the batch under way may or may not have arrived; it is not repeated,
 * since that could double jobs. `sent` counts only what is certain.
 *
 * Threads: none. Ownership: job_sending_release() ends it; the list and the session are borrowed.
 */
#ifndef SLUICE_CLI_JOB_SEND_H
#define SLUICE_CLI_JOB_SEND_H

#include "cli/job_list.h"
#include "cli/progress.h"
#include "cli/session.h"

enum { JOB_SEND_BATCH = 1000, JOB_SEND_BATCH_BYTES = 8 << 20 };

struct job_sending {
    const struct job_list *list;
    uint64_t repeat; /* each job of the list that often, with a new jid each; >= 1 */
    double delay_s;  /* > 0: due this long from now by Redis' clock; else as the list says */
    char **jid;      /* NULL, or room for n * repeat jids in the order of the list: filled */
    struct progress progress; /* zeroed: none is drawn */
    int64_t began_ns;
    uint64_t sent;
    uint64_t scheduled; /* of these, into the schedule */
    uint64_t in_flight; /* of the batch that failed */
};

/* 0, or the first failure. */
int job_send(struct job_sending *s, const struct session *session,
             struct err *err) warn_unused_result;

#endif
