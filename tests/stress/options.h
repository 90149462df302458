/* What the long tests share: their command lines, and how they are run. */
#ifndef SLUICE_TESTS_STRESS_OPTIONS_H
#define SLUICE_TESTS_STRESS_OPTIONS_H

#include <check.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

/* A number between two, both included; the fraction of a whole one is cut off. False, with a line
 * on stderr, when the text is none. */
bool option_number(const char *name, const char *text, double least, double most, double *ret);
bool option_whole(const char *name, const char *text, int least, int most, int *ret);
bool option_seed(const char *text, uint64_t *ret);

/* Reads a command line, each option by read_one(its letter, its text). False, with a line on
 * stderr, when something in it is wrong. */
bool options_read(const char *program, int argc, char **argv, const struct option *names,
                  bool (*read_one)(int which, const char *text));

/* Runs the one test without a bound on its time, as each of its steps has one. What main() returns.
 */
int long_test_run(const char *name, const TTest *test);

#endif
