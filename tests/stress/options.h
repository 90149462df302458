/* What the command lines of the long tests share. */
#ifndef SLUICE_TESTS_STRESS_OPTIONS_H
#define SLUICE_TESTS_STRESS_OPTIONS_H

#include <stdbool.h>

/* A number between two, both included. False, with a line on stderr, when the text is none. */
bool option_number(const char *name, const char *text, double least, double most, double *ret);

#endif
