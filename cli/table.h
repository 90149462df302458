/*
 * Aligned output: a heading (none when no column has a title) and rows, columns as wide as their
 * widest cell.
 *
 * Fill row by row with table_cell(). On a terminal that is too narrow, the columns marked `shrinks`
 * are cut with "…", the last of them first; into files and pipes everything is written whole.
 * Cells are cleaned (terminal.h), so that a name in Redis cannot drive the terminal.
 *
 * Threads: none. Ownership: table_release() ends it; the columns are borrowed.
 */
#ifndef SLUICE_CLI_TABLE_H
#define SLUICE_CLI_TABLE_H

#include "base/err.h"
#include "cli/terminal.h"

struct table_column {
    const char *title;
    bool right; /* aligned right: numbers */
    bool shrinks;
};

struct table_cell {
    char *text; /* NULL when there was no memory */
    enum tone tone;
};

struct table {
    const struct table_column *column;
    size_t columns; /* at most TABLE_COLUMNS_MAX */
    struct table_cell *cell;
    size_t n, cap;
    bool failed;
};

enum { TABLE_COLUMNS_MAX = 12 };

void table_cell(struct table *t, enum tone tone, const char *fmt, ...) printf_like(3, 4);
void table_print(const struct table *t, const struct terminal *terminal);
void table_release(struct table *t);

#endif
