#include "api/routes.h"

/* clang-format off: a row reads as a record */
const struct route routes[] = {
    {"GET", "/livez", RIGHTS_NONE, .at_once = true, .answer = answer_livez},
    {"GET", "/readyz", RIGHTS_READ, .answer = answer_readyz},
};
/* clang-format on */

const size_t nroutes = sizeof routes / sizeof routes[0];
