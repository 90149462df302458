/*
 * The built command `sluice`, run with a private Redis in REDIS_URL.
 *
 *   struct sluice r = sluice(server.url, NULL, "queues", "--json");
 *   … r.status, r.out, r.err …
 *   sluice_free(&r);
 */
#ifndef SLUICE_TESTS_SLUICE_H
#define SLUICE_TESTS_SLUICE_H

#include "support/program.h"

#define SLUICE_BINARY TEST_BINARY_DIR "/bin/sluice"

struct sluice {
    int status;
    char *out, *err;
};

/* url and input may be NULL. words: NULL-terminated. */
struct sluice sluice_run(const char *url, const char *input, const char *const *words);
#define sluice(url, input, ...)                                                                    \
    sluice_run(url, input, (const char *const[]){SLUICE_BINARY, __VA_ARGS__, NULL})

void sluice_free(struct sluice *r);

/* It ended so, and printed this (NULL: whatever), or this among other things. Frees r. */
void sluice_expect(struct sluice r, int status, const char *out, const char *err);
void sluice_expect_part(struct sluice r, int status, const char *out, const char *err);

#endif
