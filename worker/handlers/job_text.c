#include "handlers/job_text.h"

#include <inttypes.h>
#include <string.h>

/* White space that breaks lines is legal between tokens only, so that a space may stand in its
 * place. */
int job_text_put(struct buf *out, const struct run_job *job)
{
    struct slice payload = job->payload;
    while (payload.n > 0 && payload.p[payload.n - 1] != '}')
        payload.n--;
    if (payload.n > 0)
        payload.n--;
    buf_put(out, payload);
    for (char *p = out->p, *end = p + out->n; p && (p = memchr(p, '\n', (size_t)(end - p)));)
        *p++ = ' ';
    buf_printf(out, ",\"attempt\":%" PRId64 "}", job->attempt);
    return buf_error(out);
}
