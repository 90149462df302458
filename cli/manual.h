/*
 * The manual page sluice(1), made from the descriptions of the commands.
 *
 * One page for all commands: whoever looks for a word finds it, and a command that is added is in
 * it without another list being changed.
 */
#ifndef SLUICE_CLI_MANUAL_H
#define SLUICE_CLI_MANUAL_H

#include "base/buf.h"

/* summary: one line. notes: paragraphs (base/roff.h). */
void manual_put(const char *summary, const char *notes, struct buf *out);

#endif
