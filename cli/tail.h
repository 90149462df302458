/*
 * `sluice tail`: what many jobs put out, live, in one loop over two connections.
 *
 *   ears: one subscription ─▶ tail_jobs ─▶ line ─▶ eyes: labels, a page ─▶ filters ─▶ stdout
 *
 * A message says that a job's stream has grown, and no more (store/job_view.h): the events are read
 * from the list, each job's from where it was shown last. What a job is, its record says, which is
 * read once, when the job is first heard of; then the filters are asked, and a job that they do not
 * mean costs nothing more but its messages.
 *
 * Where a job begins that is heard of for the first time: a message tells the length, not how much
 * of that is new. A job whose record says that it was running before begins `lines` events before
 * the end. Of all others the last NEW events are shown, which is what a job may write at once, so
 * that nothing of one that has only begun is left out.
 *
 * Bounds. Memory: tail_jobs, and one page (PAGE_BYTES, or one event). Redis: UNITS a second, each
 * some microseconds of its time, for reading; its messages cannot be fewer than the appends of all
 * jobs. When jobs put out more than that, the line grows, and then jobs are left out, which is
 * said. Who does not read stdout stops all of it: Redis then ends the subscription of a client that
 * does not listen, and what was missed is read when it does again.
 *
 * An outage is waited for, and said, once. Then the jobs that are followed are read on from where
 * they were; those that began meanwhile are not known until they are heard of, which is said, too.
 *
 * Threads: one. It ends by a signal, or when nobody reads stdout any more.
 */
#ifndef SLUICE_CLI_TAIL_H
#define SLUICE_CLI_TAIL_H

#include "cli/session.h"

enum { TAIL_NAMES_MAX = 64, TAIL_JIDS_MAX = 1000 };

struct tail_names {
    const char *name[TAIL_NAMES_MAX];
    size_t n; /* 0: any */
};

struct tail_wants {
    struct tail_names queues, classes, types; /* classes: exact, or globs */
    const char *const *jids;                  /* these jobs; njids 0: all */
    size_t njids;
    int64_t lines; /* >= 1 */
    bool json;
};

/* Returns -EPIPE when nobody reads stdout any more, or why it cannot go on; of Redis, an outage is
 * such a reason only at the start. */
int tail_run(const struct session *session, const struct tail_wants *wants,
             struct err *err) warn_unused_result;

#endif
