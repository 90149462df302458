#include "support/sluice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

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

void sluice_expect(struct sluice r, int status, const char *out, const char *err)
{
    ck_assert_msg(r.status == status, "%d: %s%s", r.status, r.out, r.err);
    if (out)
        ck_assert_str_eq(r.out, out);
    if (err)
        ck_assert_str_eq(r.err, err);
    sluice_free(&r);
}

void sluice_expect_part(struct sluice r, int status, const char *out, const char *err)
{
    ck_assert_msg(r.status == status && strstr(r.out, out) && strstr(r.err, err), "%d: %s%s",
                  r.status, r.out, r.err);
    sluice_free(&r);
}
