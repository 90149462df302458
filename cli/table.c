#include "cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, SHRUNK_MIN = 8 };

void table_cell(struct table *t, enum tone tone, const char *fmt, ...)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        struct table_cell *cell = reallocarray(t->cell, cap, sizeof *cell);
        if (!cell) {
            t->failed = true;
            return;
        }
        t->cell = cell;
        t->cap = cap;
    }
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    if (text)
        terminal_clean(text);
    t->cell[t->n++] = (struct table_cell){text, tone};
}

static const char *text_of(const struct table_cell *cell)
{
    return cell->text ? cell->text : "?";
}

static void measure(const struct table *t, size_t width[TABLE_COLUMNS_MAX])
{
    for (size_t c = 0; c < t->columns; c++)
        width[c] = terminal_width(t->column[c].title);
    for (size_t i = 0; i < t->n; i++) {
        size_t w = terminal_width(text_of(&t->cell[i]));
        if (w > width[i % t->columns])
            width[i % t->columns] = w;
    }
}

static void shrink(const struct table *t, size_t columns, size_t width[TABLE_COLUMNS_MAX])
{
    size_t total = GAP * (t->columns - 1);
    for (size_t c = 0; c < t->columns; c++)
        total += width[c];
    for (size_t c = t->columns; c-- > 0 && total > columns;) {
        if (!t->column[c].shrinks || width[c] <= SHRUNK_MIN)
            continue;
        size_t less = total - columns, most = width[c] - SHRUNK_MIN;
        less = less < most ? less : most;
        width[c] -= less;
        total -= less;
    }
}

static void print_cell(const struct table *t, size_t c, const char *text, size_t width,
                       enum tone tone, const struct terminal *terminal)
{
    bool last = c + 1 == t->columns, right = t->column[c].right;
    size_t w = terminal_width(text);
    bool cut = w > width;
    int pad = cut ? 0 : (int)(width - w);
    if (last && !*text) /* no blanks at the end of a line */
        return;
    printf("%*s%*s%s%.*s%s%s%*s", c > 0 ? GAP : 0, "", right ? pad : 0, "",
           tone_begin(terminal, tone),
           cut ? (int)terminal_bytes(text, width - 1) : (int)strlen(text), text, cut ? "…" : "",
           tone_end(terminal, tone), right || last ? 0 : pad, "");
}

void table_print(const struct table *t, const struct terminal *terminal)
{
    assert(t->columns > 0 && t->columns <= TABLE_COLUMNS_MAX);
    size_t width[TABLE_COLUMNS_MAX];
    measure(t, width);
    if (terminal->columns > 0)
        shrink(t, (size_t)terminal->columns, width);
    bool headed = false;
    for (size_t c = 0; c < t->columns; c++)
        headed = headed || *t->column[c].title;
    for (size_t c = 0; headed && c < t->columns; c++)
        print_cell(t, c, t->column[c].title, width[c], TONE_BOLD, terminal);
    if (headed)
        putchar('\n');
    for (size_t i = 0; i < t->n; i++) {
        size_t c = i % t->columns;
        print_cell(t, c, text_of(&t->cell[i]), width[c], t->cell[i].tone, terminal);
        if (c + 1 == t->columns)
            putchar('\n');
    }
    if (t->failed)
        puts("(not all rows: no memory)");
}

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->cell[i].text);
    free(t->cell);
    *t = (struct table){0};
}
