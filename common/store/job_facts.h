/*
 * What else is known of a job, beside where it is (store/search.h): what keeps it there, and what
 * it has been through. One round trip; reads only. A key of another type tells nothing.
 */
#ifndef SLUICE_STORE_JOB_FACTS_H
#define SLUICE_STORE_JOB_FACTS_H

#include <stdbool.h>

#include "store/store.h"

struct job_facts {
    struct reply *reply; /* recovered_from() borrows from it */
    double now;          /* Redis' time */
    double cancelled_at; /* of an order to cancel it that is kept; 0: none */
    bool paused;         /* its queue */
    bool leased;         /* its worker lives */
    size_t recoveries;   /* workers that died while they had it, as it is now */
};

/* queue and worker may be "", payload empty: then nothing is known of these. */
int store_job_facts(const struct store *s, struct redis_conn *c, const char *jid, const char *queue,
                    const char *worker, struct slice payload, struct job_facts *ret,
                    struct err *err) warn_unused_result;
struct slice job_facts_recovered_from(const struct job_facts *f, size_t i);
void job_facts_release(struct job_facts *f); /* accepts a zeroed one */

#endif
