#include "support/matrix.h"

#include <stdarg.h>
#include <stdio.h>

#include "support/oracle.h"

const char *matrix_text(const char *fmt, ...)
{
    enum { TEXTS = 8 };
    static _Thread_local char text[TEXTS][256];
    static _Thread_local unsigned next;
    char *to = text[next++ % TEXTS];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(to, sizeof text[0], fmt, ap);
    va_end(ap);
    return to;
}

/* A cell must not hold what separates cells. */
static void cell(const char *text)
{
    (void)putchar('|');
    for (; text && *text; text++)
        (void)putchar(*text == '|' || *text == '\n' ? ' ' : *text);
}

void matrix_report(const struct matrix_entry *e)
{
    const struct oracle_figures *f = e->figures;
    /* In one piece, whatever else prints: the gatherer looks for the start of the line. */
    (void)printf("\nmatrix|%d", e->row);
    cell(e->fault);
    cell(e->bit);
    cell(f ? matrix_text("%zu", f->acked) : "");
    cell(f ? matrix_text("%zu", f->lost) : "");
    cell(f ? matrix_text("%zu", f->unexpected) : "");
    cell(f ? matrix_text("%zu (%zu)", f->duplicates, e->max_duplicates) : "");
    if (e->took && e->bound_ms > 0)
        cell(matrix_text("%s: %.2f s (%.2f s)", e->took, (double)e->took_ms / 1000,
                         (double)e->bound_ms / 1000));
    else
        cell(e->took ? matrix_text("%s: %.2f s", e->took, (double)e->took_ms / 1000) : "");
    cell(e->result);
    (void)printf("\n");
    (void)fflush(stdout); /* Check leaves by _exit */
}
