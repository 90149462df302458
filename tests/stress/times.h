/*
 * How long something took, each time it happened.
 *
 * Ownership: embedded; times_release() frees. Threads: one.
 */
#ifndef SLUICE_TESTS_STRESS_TIMES_H
#define SLUICE_TESTS_STRESS_TIMES_H

#include <stddef.h>
#include <stdint.h>

struct times {
    int64_t *ms;
    size_t n, cap;
};

void times_add(struct times *t, int64_t ms);
void times_release(struct times *t);

/* "p50 7.1 s, p99 9.0 s, max 9.4 s", or "none measured". Sorts. */
const char *times_text(struct times *t, char *ret, size_t size);

#endif
