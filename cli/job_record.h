/*
 * The record of a tracked job (`sluice:job:<jid>`) as text, and the wait for its end.
 */
#ifndef SLUICE_CLI_JOB_RECORD_H
#define SLUICE_CLI_JOB_RECORD_H

#include "cli/session.h"
#include "cli/terminal.h"

enum tone job_end_tone(enum job_end end);

/* Prints a field a line; now: Redis' time, or 0 when it is not known. */
void job_record_print(const struct reply *record, double now);

/* Waits until the job has ended, then prints its record (json) or its result. Returns the exit
 * code: 0 completed, 1 any other end. */
int job_wait(const struct session *session, const char *jid, bool json);

#endif
