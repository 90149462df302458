/*
 * Why a job is where it is, in words.
 *
 * First all that is known is gathered (why_look: the search of the store, the job itself, its
 * record, what holds its queue up), then a reason is given for it (why_tell), as a code for
 * programs and a sentence for people; with it a timeline of what the job and its record tell. A job
 * that is moved while it is looked for may be seen in two places: the one further along its way
 * counts.
 *
 * Threads: one. Ownership: why_release() ends it; a zeroed one is harmless.
 */
#ifndef SLUICE_CLI_WHY_H
#define SLUICE_CLI_WHY_H

#include "cli/session.h"
#include "job/envelope.h"
#include "store/job_facts.h"
#include "store/job_filter.h"

enum why_place {
    WHY_NOWHERE,
    WHY_DEAD,
    WHY_SCHEDULE,
    WHY_RETRY,
    WHY_QUEUE,
    WHY_TRIAL,
    WHY_RUNNING
};

/* Of the record of a tracked job, empty where it says nothing. */
struct why_record {
    struct slice json; /* all of it; empty: there is none */
    char *state, *klass, *queue, *worker, *error_class, *error;
    double started_at, finished_at;
    int64_t attempt;
};

struct why {
    const char *jid; /* borrowed */
    struct buf search;
    enum why_place place;
    char *queue, *worker; /* of the place, else of the record; "" when unknown */
    double score;
    int64_t position;  /* jobs of the queue that run before it */
    struct slice job;  /* its payload; empty: it is nowhere, or too long to be shown */
    struct envelope e; /* of the job, if it could be read */
    bool has_envelope;
    struct job_story story;
    bool truncated; /* not everything was looked through */
    struct why_record record;
    struct job_facts facts;
    int serving, open; /* live workers of its queue, and those of them that are not quiet */
    int workers;       /* live ones in all */
    bool is_sluice;    /* its worker, and no process of Sidekiq */
};

/* After a failure *ret is zeroed. */
int why_look(const struct session *session, const char *jid, struct why *ret,
             struct err *err) warn_unused_result;
void why_release(struct why *w);

/* The reason: a code (docs of the command list them), and a sentence that is appended. */
const char *why_tell(const struct why *w, struct buf *text);

/* The timeline, soonest first. */
struct why_event {
    double at; /* Unix seconds by Redis' clock; may lie ahead */
    char what[256];
};
enum { WHY_EVENTS = 12 };
int why_timeline(const struct why *w, struct why_event ret[WHY_EVENTS]);

#endif
