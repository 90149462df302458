/*
 * Jobs in memory: a claim (a slice of a queue that Redis has moved into a list of ours) and the
 * jobs in it.
 *
 * A job has one owner at each instant: the ready list (worker/dispatch), then the executor that
 * runs it, then the settler, which frees the claim when its last job is settled. Payloads are
 * slices of the reply that brought the claim and live as long as the claim.
 *
 * A claim belongs to the lease generation it was made in. If our lease lapsed since, other workers
 * may have been given its jobs: those not yet started go back to their queue, those running end;
 * both by a fenced write, which does nothing for a job that is no longer ours. (Rejected: to leave
 * the former to reconciliation, which cannot find a claim whose registration was wiped.)
 */
#ifndef SLUICE_WORKER_JOB_H
#define SLUICE_WORKER_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "redis/reply.h"
#include "store/settle.h"

enum { RECORD_FIELDS_MAX = 12, NO_OP = -1 };

/* What is recorded with the end of a tracked or streaming job. */
struct record {
    char *jid;
    int64_t ttl_s;
    enum record_where where;
    struct buf event; /* final stream event, or empty */
    struct settle_field fields[RECORD_FIELDS_MAX];
    struct buf values[RECORD_FIELDS_MAX]; /* what the fields' values lie in */
    int n;
};

/* How a job ends, when that is more than an ack. */
struct settlement {
    bool ack; /* only the record matters */
    enum settle_where where;
    enum settle_stats stats;
    double delay_s;
    char *queue;        /* for SETTLE_QUEUE */
    struct buf payload; /* what is written; empty = the job's payload as it came */
    struct record *record;
};

struct job {
    struct claim *claim;
    unsigned index; /* in the claim list */
    bool ambiguous; /* an earlier try to settle it may have been applied */
    int op;         /* its operation in the batch under way, or NO_OP: that of its claim */
    struct slice payload;
    struct settlement *end; /* NULL = a plain ack */
    struct job *next;
};

struct claim {
    uint64_t seq;
    uint64_t generation; /* of the lease */
    char *queue;
    struct reply *reply;
    int64_t claimed_ns;
    bool on_trial; /* waits for a free thread, however long that takes (worker/reaper) */
    unsigned n;    /* jobs[] */
    /* the settler's alone, under its mutex: */
    unsigned away;                  /* jobs that it has not been handed yet */
    struct job *ended, *last_ended; /* that it has, and has not sent */
    int64_t due_ns;                 /* when it sends them, even if others are away */
    struct claim *next;             /* in its list, while there are any */
    /* and without, in its turn: */
    unsigned settled;
    unsigned abandoned;
    unsigned settling; /* in the batch under way … */
    unsigned acks;     /* … of these, plain acks */
    bool piecewise;    /* Redis holds more of it than we know: its jobs are acked one by one */
    int drop_op;       /* the operation that drops the claim whole, or NO_OP */
    struct job jobs[];
};

/* A claim of n jobs whose payloads the caller sets; takes the reply over. NULL without memory. */
struct claim *claim_new(uint64_t seq, uint64_t generation, const char *queue, unsigned n,
                        struct reply *reply);
void claim_free(struct claim *c);

/* One log line about a job that nobody has parsed (any more): its id, class and queue. */
void job_log(enum log_level level, const char *msg, const struct job *job);

struct settlement *settlement_new(enum settle_where where, enum settle_stats stats);
void settlement_free(struct settlement *s); /* accepts NULL */

struct record *record_new(const char *jid, int64_t ttl_s);
void record_free(struct record *r); /* accepts NULL */
/* Appends one field with a formatted value; ignored beyond RECORD_FIELDS_MAX, which is our bug. */
void record_add(struct record *r, const char *name, const char *fmt, ...) printf_like(3, 4);
void record_add_slice(struct record *r, const char *name, struct slice value);

#endif
