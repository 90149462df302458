/*
 * The fault matrix: one printed line for each fault that a test injected, with what came of it.
 *
 * A test reports a row only after its assertions, so that a line is a result. tests/faults runs
 * every test that includes this header (CMake gives it the label "matrix"), gathers the lines and
 * prints the table of docs/GUARANTEES.md; it fails when one of the rows 1 to 30 has no line.
 *
 * Threads: any. Errors: none; a line that is too long is cut.
 */
#ifndef SLUICE_TESTS_MATRIX_H
#define SLUICE_TESTS_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { MATRIX_ROWS = 30 };

struct matrix_entry {
    int row;                              /* 1..MATRIX_ROWS */
    const char *fault;                    /* what was done, e.g. "kill -9 with 100 jobs running" */
    const char *bit;                      /* how the test saw that it happened: figures */
    const struct oracle_figures *figures; /* NULL: the oracle has no say in this case */
    size_t max_duplicates;                /* with figures */
    const char *took;          /* what was timed, e.g. "all started again"; NULL: nothing */
    int64_t took_ms, bound_ms; /* with took; bound_ms 0: the matrix names no bound */
    const char *result;        /* anything else that was required and seen; or NULL */
};

void matrix_report(const struct matrix_entry *e);

/* A formatted text for the members above, valid until the eighth call after this one. */
const char *matrix_text(const char *fmt, ...) printf_like(1, 2);

#endif
