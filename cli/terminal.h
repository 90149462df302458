/*
 * What stdout is: a terminal of some width, with colours or without, or a file or pipe.
 *
 * Colours only on a terminal, and not with NO_COLOR (no-color.org) or TERM=dumb. Text that comes
 * from Redis is never written raw: terminal_clean() takes out what could drive a terminal.
 */
#ifndef SLUICE_CLI_TERMINAL_H
#define SLUICE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum tone { TONE_PLAIN, TONE_BOLD, TONE_DIM, TONE_GOOD, TONE_WARN, TONE_BAD };

struct terminal {
    bool colour;
    int columns; /* 0 = no limit: not a terminal */
};

struct terminal terminal_of(int fd);

/* The escape sequence that begins (or ends) a tone; "" without colours or for TONE_PLAIN. */
const char *tone_begin(const struct terminal *t, enum tone tone);
const char *tone_end(const struct terminal *t, enum tone tone);

/* One of some colours that tell things apart, the same for the same n; "" without colours. */
const char *hue_begin(const struct terminal *t, unsigned n);
const char *hue_end(const struct terminal *t);

/* Replaces control characters and bytes that are not UTF-8 by '?', in place. */
void terminal_clean(char *text);

/* Characters of clean text, for alignment. */
size_t terminal_width(const char *text);
/* Bytes of the first `characters` characters of clean text. */
size_t terminal_bytes(const char *text, size_t characters);

#endif
