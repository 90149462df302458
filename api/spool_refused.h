/*
 * Spooled requests that Redis refuses for good: kept in the spool's folder, in refused.jsonl, one a
 * line of JSON, with the reason and every job's payload as it would have lain in Redis:
 *
 *   {"refused_at":…,"accepted_at":…,"reason":"…","idempotency_key":null,
 *    "jobs":[{"queue":"default","due":…,"payload":"{\"class\":…}"}]}
 *
 * A person looks at them, and sends again what should run:
 *   jq -r '.jobs[].payload' refused.jsonl | curl -H 'Content-Type: application/x-ndjson'
 *       --data-binary @- …/v1/jobs
 *
 * One that was refused just before a crash may be there twice.
 */
#ifndef SLUICE_API_SPOOL_REFUSED_H
#define SLUICE_API_SPOOL_REFUSED_H

#include "api/spool_folder.h"
#include "api/spool_record.h"

/* On disk when it returns. */
int spool_refuse(const struct spool_folder *f, const struct spool_record *r,
                 const struct job_batch *b, const char *why, struct err *err) warn_unused_result;

#endif
