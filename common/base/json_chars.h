/*
 * Characters of JSON, shared by the scanner (json.c) and by what reads and writes single values
 * (json_value.c). Private to these two.
 */
#ifndef SLUICE_BASE_JSON_CHARS_H
#define SLUICE_BASE_JSON_CHARS_H

#include <stdbool.h>

#include "base/slice.h"

/* True for the bytes that stand for themselves inside a JSON string: ASCII from the space on,
 * without the quote and the backslash. */
static inline bool json_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static inline bool json_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* An empty slice may point nowhere, and nothing can be added to that. */
static inline const unsigned char *json_bytes(struct slice text)
{
    return (const unsigned char *)(text.n > 0 ? text.p : "");
}

#endif
