#include "support/sluice.h"

#include <stdio.h>
#include <stdlib.h>

struct sluice sluice_run(const char *url, const char *input, const char *const *words)
{
    char variable[256];
    struct program p = {.input = {input, input ? strlen(input) : 0}};
    if (url) {
        (void)snprintf(variable, sizeof variable, "REDIS_URL=%s", url);
        p.env[0] = variable;
    }
    program_start(&p, words);
    struct sluice r = {.status = program_wait(&p)};
    r.out = p.out;
    r.err = p.err;
    p.out = p.err = NULL; /* handed over */
    program_end(&p);
    return r;
}

void sluice_free(struct sluice *r)
{
    free(r->out);
    free(r->err);
    *r = (struct sluice){0};
}
