/*
 * What is served: one row for each method of each path. api/openapi.yaml describes the same rows to
 * the world, and a test holds the two against each other.
 *
 * GET serves HEAD, too; OPTIONS is answered from the table.
 */
#ifndef SLUICE_API_ROUTES_H
#define SLUICE_API_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "api/auth.h"
#include "api/call.h"
#include "store/sets.h"

struct route {
    const char *method;
    const char *path;   /* http/path.h */
    enum rights rights; /* RIGHTS_NONE: open to everybody, also where there is a token */
    bool at_once;       /* waits for nothing, so it needs no thread of the crew */
    bool takes_jobs;    /* takes a body: application/json or application/x-ndjson */
    enum job_set set;   /* of the jobs that it is about, if it is about some in one */
    bool page;          /* opened by people: their browser may ask them for the token */
    void (*answer)(struct call *c);
    /* In place of answer(): all that wait for a turn together (api/crew.h), each to be sent. */
    void (*answer_all)(struct api *a, struct http_exchange *first);
};

extern const struct route routes[];
extern const size_t nroutes;

/* The row of a path and a method, NULL when there is none; *ret_path, then too, is a row of the
 * path, if it has one. A fixed word goes before a parameter: of "/v1/dead/{jid}" and
 * "/v1/dead/requeue" the second is meant, for the methods that it has; the others are those of a
 * job with that name. */
const struct route *route_find(const struct route *rows, size_t n, const char *method,
                               const char *path, const struct route **ret_path);

/* One file each. */
void answer_livez(struct call *c);
void answer_readyz(struct call *c);
void answer_enqueue(struct api *a, struct http_exchange *first);
void answer_job(struct call *c);
void answer_cancel(struct call *c);
void answer_events(struct call *c);
void answer_queues(struct call *c);
void answer_pause(struct call *c);
void answer_resume(struct call *c);
void answer_running(struct call *c);
void answer_workers(struct call *c);
void answer_worker_quiet(struct call *c);
void answer_worker_resume(struct call *c);
void answer_worker_stop(struct call *c);
void answer_set(struct call *c);
void answer_requeue(struct call *c);
void answer_requeue_many(struct call *c);
void answer_delete_many(struct call *c);
void answer_delete(struct call *c);
void answer_history(struct call *c);
void answer_search(struct call *c);
void answer_stats(struct call *c);
void answer_metrics(struct call *c);
void answer_description(struct call *c);
void answer_dashboard(struct call *c);
void answer_dashboard_file(struct call *c);

#endif
