/*
 * Jobs to enqueue: checked, not yet completed, in the bytes they came in.
 *
 * Every job is checked by the same parser that the worker will use, before the first one is sent,
 * so that a file is enqueued whole or not at all. Completing (jid, queue, times) waits until it is
 * sent, since that needs Redis' time and would double the memory.
 *
 * Threads: none. Ownership: job_list_release() ends it; queue names belong to the list.
 */
#ifndef SLUICE_CLI_JOB_LIST_H
#define SLUICE_CLI_JOB_LIST_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

struct listed_job {
    size_t at, n; /* its bytes in `text` */
    size_t queue; /* index into `queue` */
    double due;   /* Unix seconds; 0 = now */
};

struct job_list {
    const char *default_queue; /* of jobs that name none; borrowed */
    int64_t max_payload;       /* bytes of a completed job; what workers would bury */
    struct buf text;
    struct listed_job *job;
    size_t n, cap;
    char **queue;
    size_t nqueues;
};

/* Checks and adds one job object. -EBADMSG with what is wrong; -ENOMEM. */
int job_list_add(struct job_list *l, struct slice job, struct err *err) warn_unused_result;

/* Adds each line of NDJSON, without blank lines. Errors begin with "NAME:LINE: ". Also -EIO … when
 * reading fails. */
int job_list_read(struct job_list *l, FILE *in, const char *name,
                  struct err *err) warn_unused_result;

void job_list_release(struct job_list *l);

#endif
