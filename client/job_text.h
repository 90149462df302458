/*
 * A job as a program describes it, made into the JSON object that goes on the wire.
 *
 * Only what could break out of its place is checked here: `args` must be one JSON array and strings
 * must be UTF-8, since their bytes are put into the text as they are. What the fields may hold is
 * judged afterwards, by the parser that workers use (store/job_batch.h).
 *
 * Threads: pure functions. Errors: -EBADMSG with the sentence and *ret_field; -EINVAL for a struct
 * of another size.
 */
#ifndef SLUICE_CLIENT_JOB_TEXT_H
#define SLUICE_CLIENT_JOB_TEXT_H

#include <sluice/client.h>

#include "base/buf.h"

/* Appends the job; of a job that is given whole, its bytes. */
int job_text_put(const struct sluice_client_job *job, struct buf *out, const char **ret_field,
                 struct err *err) warn_unused_result;

#endif
