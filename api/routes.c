#include "api/routes.h"

/* clang-format off: a row reads as a record */
const struct route routes[] = {
    {"GET", "/livez", RIGHTS_NONE, .at_once = true, .answer = answer_livez},
    {"GET", "/readyz", RIGHTS_READ, .answer = answer_readyz},
    {"POST", "/v1/jobs", RIGHTS_ALL, .takes_jobs = true, .answer = answer_enqueue},
    {"GET", "/v1/jobs/{jid}", RIGHTS_READ, .answer = answer_job},
    {"DELETE", "/v1/jobs/{jid}", RIGHTS_ALL, .answer = answer_cancel},
};
/* clang-format on */

const size_t nroutes = sizeof routes / sizeof routes[0];
