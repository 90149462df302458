/*
 * The spool's folder: whose it is, what lies in it, and how far it has been replayed.
 *
 *   lock            locked (flock) by the process whose folder it is, with its pid in it
 *   *.spool         segments (api/spool_segment.h)
 *   position        where the replay goes on: one frame, written in place
 *   *.damaged       segments in which something was unreadable, kept for a person
 *   refused.jsonl   requests that Redis did not want (api/spool_replay.c), a line of JSON each
 *
 * The folder is made for its owner alone (0700, files 0600), since jobs may hold secrets.
 *
 * A position that is older than the truth, or lost, costs time and nothing else: what is sent again
 * is not enqueued again (api/spool.h).
 *
 * Threads: none; api/spool.c says who is at it when. Errors: the files', with the name in words;
 * -EBUSY when another process has the folder.
 */
#ifndef SLUICE_API_SPOOL_FOLDER_H
#define SLUICE_API_SPOOL_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct spool_position {
    uint64_t segment; /* 0: nothing has been replayed */
    int64_t offset;
};

struct spool_folder {
    char *path;
    int fd, lock, position; /* -1: not open */
};

/* Whether it could be opened, without a trace: for --check-config. */
int spool_folder_check(const char *path, struct err *err) warn_unused_result;

/* Makes it when it is not there, and locks it. */
int spool_folder_open(struct spool_folder *f, const char *path, struct err *err) warn_unused_result;
void spool_folder_close(struct spool_folder *f); /* also after a failure */

/* The numbers of its segments, rising; free() them. */
int spool_folder_list(const struct spool_folder *f, uint64_t **ret, size_t *ret_n,
                      struct err *err) warn_unused_result;
/* A segment that is not needed any more: deleted, or set aside when it is damaged. */
int spool_folder_retire(const struct spool_folder *f, uint64_t segment, bool damaged,
                        struct err *err) warn_unused_result;

/* Zero when there is none that can be read. */
struct spool_position spool_folder_position(const struct spool_folder *f);
/* Survives the process; with sync, the machine, too. */
int spool_folder_set_position(const struct spool_folder *f, struct spool_position p, bool sync,
                              struct err *err) warn_unused_result;

/* Appends a line to refused.jsonl; on disk when it returns. */
int spool_folder_refuse(const struct spool_folder *f, struct slice line,
                        struct err *err) warn_unused_result;

#endif
