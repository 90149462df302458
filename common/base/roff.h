/*
 * Manual pages: text as roff, by the man macros that groff and mandoc both know.
 *
 * The pages are made from what --help prints, so that one text serves both and neither grows old.
 * Such text is paragraphs between empty lines; a line that begins with a space is kept as it is.
 *
 * Threads: none. Errors: those of the buffer.
 */
#ifndef SLUICE_BASE_ROFF_H
#define SLUICE_BASE_ROFF_H

#include "base/buf.h"

/* The head: "sluice", 1, "User Commands", and the one line that `apropos` finds. */
void roff_title(struct buf *out, const char *name, int section, const char *manual,
                const char *summary);
void roff_section(struct buf *out, const char *title);    /* "OPTIONS" */
void roff_subsection(struct buf *out, const char *title); /* "enqueue" */

/* An entry of a list: its tag in bold, then what follows as its text. */
void roff_entry(struct buf *out, const char *tag);
/* One line of text. */
void roff_line(struct buf *out, const char *text);
/* The lines as they are. */
void roff_literal(struct buf *out, const char *lines);
/* Paragraphs, as above. */
void roff_text(struct buf *out, const char *text);

#endif
