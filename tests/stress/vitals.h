/*
 * Memory and descriptors of the lasting members of the crew.
 *
 * Memory is compared under load: the median of the last samples when the run has warmed up, and
 * again when the faults end. It may grow by 5 %, or 1 MB if that is more. Payloads differ a
 * thousandfold in size, so that malloc's arenas take minutes to come to rest: a run of less than
 * ten is not judged by it. Descriptors are compared at rest, before the first job and after the
 * last: there pooled connections are closed again, so that not one more may be open.
 */
#ifndef SLUICE_TESTS_STRESS_VITALS_H
#define SLUICE_TESTS_STRESS_VITALS_H

#include <stddef.h>
#include <stdint.h>

#include "crew.h"

struct soak;

enum { VITALS_SAMPLES = 40 };

struct vital {
    int64_t sample_kb[VITALS_SAMPLES];
    size_t nsamples; /* ever */
    int64_t warm_kb, end_kb;
    int fds_begin, fds_end;
};

struct vitals {
    struct vital member[CREW_LASTING];
    int64_t next_ns;
};

void vitals_at_rest(struct soak *s); /* before the first job; waits a while */
void vitals_step(struct soak *s);
int64_t vitals_now_kb(const struct soak *s, int member); /* the last sample */
void vitals_warm(struct soak *s);
void vitals_end(struct soak *s);
/* After the drain; waits until they have come back to where they began, and complains otherwise.
 * Judges the memory of long runs, except under a sanitizer, which never gives any back. */
void vitals_judge(struct soak *s);

#endif
