/*
 * Progress: one line on stderr that is drawn over itself, and only on a terminal: a log or a pipe
 * gets none of it. Ten times a second at most, so that it costs nothing to ask for it each time.
 *
 * Whoever writes something else to the terminal erases the line first.
 */
#ifndef SLUICE_CLI_PROGRESS_H
#define SLUICE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct progress {
    bool draws;  /* stderr is a terminal */
    int columns; /* its width */
    int64_t drawn_ns;
};

struct progress progress_of_stderr(void);
void progress_draw(struct progress *p, const char *fmt, ...) printf_like(2, 3);
/* "[#####-----] 1,234 of 5,000, 12s left", from how long it has taken so far. */
void progress_draw_bar(struct progress *p, const char *what, uint64_t done, uint64_t total,
                       int64_t began_ns);
void progress_erase(struct progress *p);

#endif
