/*
 * The body of POST /v1/jobs: one job object, an array of them, or one a line (NDJSON).
 *
 * Text that is no JSON is 400; JSON that is no job is 422, with the field that is wrong. Both say
 * of many jobs which one it is ("index", counted from 0), and nothing is enqueued then.
 *
 * Threads: none. Ownership: the batch is the caller's.
 */
#ifndef SLUICE_API_JOBS_BODY_H
#define SLUICE_API_JOBS_BODY_H

#include <stdbool.h>

#include "http/message.h"
#include "store/job_batch.h"

enum { JOBS_MAX = 10000 }; /* of one request */

/* Adds every job of the body to the batch; *ret_single: it was one object. False when res is filled
 * in with what is wrong. */
bool jobs_body_read(struct slice body, bool lines, struct job_batch *batch, bool *ret_single,
                    struct http_response *res) warn_unused_result;

#endif
