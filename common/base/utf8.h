/*
 * UTF-8, checked strictly: what is accepted here every other reader accepts too.
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The length of the UTF-8 character of two bytes or more that starts at p (< end); 0 when there is
 * none. The second byte's range shuts out overlong forms, surrogates and what is beyond U+10FFFF.
 * Source: Unicode 15, table 3-7. */
size_t utf8_length(const unsigned char *p, const unsigned char *end);

/* True when the whole text is UTF-8. */
bool utf8_ok(struct slice text);

#endif
