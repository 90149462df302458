/*
 * The jobs that `sluice tail` has heard of: how far each was shown, and whose turn it is.
 *
 *   message ─▶ LINE, while there is more than was shown ─▶ FOLLOWED, or PASSED when no filter
 *                ▲                                             means it ─┐
 *                └────────────── the next message ─────────────┘         └─▶ forgotten first
 *
 * Bounded: of TAIL_JOBS_MAX jobs, a further one takes the place of the one that was heard of
 * longest ago, out of those that are passed over, then out of those that are followed; when all
 * wait in line it is left out, and counted. A job that was forgotten and is heard of again is a new
 * one; forgot_ns tells those that began later, which cannot be among the forgotten.
 *
 * A stream never gets shorter while it lives, so a length that is not above the one told before it
 * says that the stream begins anew. The first one on a connection says nothing: it may be late.
 *
 * Threads: one. Ownership: the table has its jobs; one stays where it is until it is forgotten,
 * which only hearing of another can bring about.
 */
#ifndef SLUICE_CLI_TAIL_JOBS_H
#define SLUICE_CLI_TAIL_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "store/job_view.h"

enum { TAIL_JOBS_MAX = 10000, TAIL_BUCKETS = 4096 };

enum tail_place { TAIL_LINE, TAIL_FOLLOWED, TAIL_PASSED, TAIL_PLACES };

struct tail_job {
    struct tail_job *in_bucket;   /* the next one */
    struct tail_job *prev, *next; /* in its place; the first was heard of longest ago */
    enum tail_place place;
    int64_t shown;       /* the id of the last event that was shown; -1: that is not decided */
    int64_t known;       /* so many events there are */
    int64_t told;        /* the last length told on this connection; 0: none */
    int64_t heard_ns;    /* when that was, monotonic */
    bool labelled;       /* it is known what the filters say, and the next three */
    bool wanted;         /* … what they say */
    char *klass, *queue; /* NULL: without a record */
    enum job_end end;    /* by the last event that was shown */
    char jid[];
};

struct tail_jobs {
    struct tail_job *bucket[TAIL_BUCKETS];
    struct tail_list {
        struct tail_job *first, *last;
    } place[TAIL_PLACES];
    size_t n;
    int64_t forgot_ns; /* when the last of those followed that were forgotten was heard of; 0 */
    uint64_t left_out; /* messages about jobs that there was no room for */
};

/* A message: the job's stream has this length. */
void tail_jobs_hear(struct tail_jobs *jobs, struct slice jid, int64_t length, int64_t now_ns);
/* Without a message: whatever there is of it is to be shown. -ENOMEM. */
int tail_jobs_add(struct tail_jobs *jobs, struct slice jid) warn_unused_result;
/* Messages were lost: those that are followed and have not ended are in line. */
void tail_jobs_look_again(struct tail_jobs *jobs);

/* Whose turn it is; NULL: nobody waits. */
struct tail_job *tail_jobs_first(const struct tail_jobs *jobs);
/* It had its turn: it goes to the end of the line, or to where it belongs. */
void tail_jobs_settle(struct tail_jobs *jobs, struct tail_job *job);

void tail_jobs_release(struct tail_jobs *jobs); /* harmless on a zeroed one */

#endif
