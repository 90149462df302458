/*
 * The verdict: the drain, the end of the crew, what is left in the books, and the line of figures.
 *
 * Threads: the one of the soak; here it may wait, as all faults are over.
 */
#ifndef SLUICE_TESTS_STRESS_VERDICT_H
#define SLUICE_TESTS_STRESS_VERDICT_H

#include <stdbool.h>

struct soak;

/* Drains, stops the crew, complains about all that is not as it must be, prints. True when nobody
 * has complained. */
bool verdict(struct soak *s);

#endif
