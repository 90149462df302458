#include "api/routes.h"

#include <string.h>

#include "http/path.h"

/* clang-format off: a row reads as a record */
const struct route routes[] = {
    {"GET", "/livez", RIGHTS_NONE, .at_once = true, .answer = answer_livez},
    {"GET", "/readyz", RIGHTS_READ, .answer = answer_readyz},
    {"POST", "/v1/jobs", RIGHTS_ALL, .takes_jobs = true, .answer_all = answer_enqueue},
    {"GET", "/v1/jobs/{jid}", RIGHTS_READ, .answer = answer_job},
    {"DELETE", "/v1/jobs/{jid}", RIGHTS_ALL, .answer = answer_cancel},
    {"GET", "/v1/jobs/{jid}/events", RIGHTS_READ, .answer = answer_events},
    {"GET", "/v1/queues", RIGHTS_READ, .answer = answer_queues},
    {"POST", "/v1/queues/{queue}/pause", RIGHTS_ALL, .answer = answer_pause},
    {"POST", "/v1/queues/{queue}/resume", RIGHTS_ALL, .answer = answer_resume},
    {"GET", "/v1/running", RIGHTS_READ, .answer = answer_running},
    {"GET", "/v1/workers", RIGHTS_READ, .answer = answer_workers},
    {"POST", "/v1/workers/{identity}/quiet", RIGHTS_ALL, .answer = answer_worker_quiet},
    {"POST", "/v1/workers/{identity}/resume", RIGHTS_ALL, .answer = answer_worker_resume},
    {"POST", "/v1/workers/{identity}/stop", RIGHTS_ALL, .answer = answer_worker_stop},
    {"GET", "/v1/retry", RIGHTS_READ, .set = JOBS_RETRY, .answer = answer_set},
    {"DELETE", "/v1/retry", RIGHTS_ALL, .set = JOBS_RETRY, .answer = answer_delete_many},
    {"POST", "/v1/retry/requeue", RIGHTS_ALL, .set = JOBS_RETRY, .answer = answer_requeue_many},
    {"DELETE", "/v1/retry/{jid}", RIGHTS_ALL, .set = JOBS_RETRY, .answer = answer_delete},
    {"POST", "/v1/retry/{jid}/requeue", RIGHTS_ALL, .set = JOBS_RETRY, .answer = answer_requeue},
    {"GET", "/v1/schedule", RIGHTS_READ, .set = JOBS_SCHEDULE, .answer = answer_set},
    {"DELETE", "/v1/schedule", RIGHTS_ALL, .set = JOBS_SCHEDULE, .answer = answer_delete_many},
    {"POST", "/v1/schedule/requeue", RIGHTS_ALL, .set = JOBS_SCHEDULE,
     .answer = answer_requeue_many},
    {"DELETE", "/v1/schedule/{jid}", RIGHTS_ALL, .set = JOBS_SCHEDULE, .answer = answer_delete},
    {"POST", "/v1/schedule/{jid}/requeue", RIGHTS_ALL, .set = JOBS_SCHEDULE,
     .answer = answer_requeue},
    {"GET", "/v1/dead", RIGHTS_READ, .set = JOBS_DEAD, .answer = answer_set},
    {"DELETE", "/v1/dead", RIGHTS_ALL, .set = JOBS_DEAD, .answer = answer_delete_many},
    {"POST", "/v1/dead/requeue", RIGHTS_ALL, .set = JOBS_DEAD, .answer = answer_requeue_many},
    {"DELETE", "/v1/dead/{jid}", RIGHTS_ALL, .set = JOBS_DEAD, .answer = answer_delete},
    {"POST", "/v1/dead/{jid}/requeue", RIGHTS_ALL, .set = JOBS_DEAD, .answer = answer_requeue},
    {"GET", "/v1/search", RIGHTS_READ, .answer = answer_search},
    {"GET", "/v1/history", RIGHTS_READ, .answer = answer_history},
    {"GET", "/v1/stats", RIGHTS_READ, .answer = answer_stats},
    {"GET", "/metrics", RIGHTS_READ, .answer = answer_metrics},
    {"GET", "/openapi.yaml", RIGHTS_READ, .at_once = true, .page = true,
     .answer = answer_description},
    {"GET", "/", RIGHTS_READ, .at_once = true, .page = true, .answer = answer_dashboard},
    {"GET", "/dashboard/{file}", RIGHTS_READ, .at_once = true, .page = true,
     .answer = answer_dashboard_file},
};
/* clang-format on */

const size_t nroutes = sizeof routes / sizeof routes[0];

const struct route *route_find(const struct route *rows, size_t n, const char *method,
                               const char *path, const struct route **ret_path)
{
    const struct route *found = NULL;
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (const struct route *r = rows; r < rows + n; r++) {
        if (!http_path_match(r->path, path, NULL))
            continue;
        *ret_path = r;
        if (strcmp(r->method, method) == 0 && (!found || strchr(found->path, '{')))
            found = r;
    }
    return found;
}
