/*
 * Jobs larger than worker.max_payload: one line in the log and one count for each, whoever came
 * across it: a claim, a blocking wait, the schedule, the recovery of a dead worker. All are in dead
 * by then, byte for byte.
 *
 * Threads: safe from any thread. Ownership: embedded.
 */
#ifndef SLUICE_WORKER_OVERSIZE_H
#define SLUICE_WORKER_OVERSIZE_H

#include <stdatomic.h>

#include "base/log.h"
#include "store/unread.h"

struct oversize {
    atomic_uint_fast64_t jobs;
};

/* place: the queue or set that it was found in. */
void oversize_note(struct oversize *o, struct log_field place, int64_t bytes, int64_t max_payload);

/* Each job that a script has moved (store/unread.h). set names the place of those whose queue is
 * not known. */
void oversize_note_unread(struct oversize *o, const struct reply *unread, const char *set,
                          int64_t max_payload);

#endif
