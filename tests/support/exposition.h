/*
 * Reads Prometheus' text format as strictly as its own parser, and more so: the test fails, with
 * the line, at anything that is not exactly as the format and good manners want it.
 *
 * Checked: each line; HELP, then TYPE, then the samples of that family and no other; no family and
 * no series twice; names of counters end in _total; histograms have rising bounds, counts that
 * never fall, +Inf equal to _count, and a _sum.
 */
#ifndef SLUICE_TESTS_EXPOSITION_H
#define SLUICE_TESTS_EXPOSITION_H

#include <stdbool.h>

void must_be_exposition(const char *text);

/* The value of a series as it is written: `name{label="value"}`. False when there is none. */
bool exposition_value(const char *text, const char *series, double *ret);
/* The same; the test fails when there is none. */
double must_value(const char *text, const char *series);

#endif
