/* What the long tests share: their command lines, and how they are run. */
#ifndef SLUICE_TESTS_STRESS_OPTIONS_H
#define SLUICE_TESTS_STRESS_OPTIONS_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

/* A number between two, both included; the fraction of a whole one is cut off. False, with a line
 * on stderr, when the text is none. */
bool option_number(const char *name, const char *text, double least, double most, double *ret);
bool option_whole(const char *name, const char *text, int least, int most, int *ret);
bool option_seed(const char *text, uint64_t *ret);

/* Runs the one test without a bound on its time, as each of its steps has one. What main() returns.
 */
int long_test_run(const char *name, const TTest *test);

#endif
