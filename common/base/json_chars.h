/*
 * Characters of JSON, shared by the scanner (json.c) and by what reads and writes single values
 * (json_value.c). Private to these two.
 */
#ifndef SLUICE_BASE_JSON_CHARS_H
#define SLUICE_BASE_JSON_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* True for the bytes that stand for themselves inside a JSON string: ASCII from the space on,
 * without the quote and the backslash. */
static inline bool json_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte that is not plain, or end. Eight bytes a step: in each byte of `odd` the high bit
 * says that it is not plain. Subtracting may borrow from the next byte up, so that one above an odd
 * byte may look odd, too; the lowest is right. */
static inline const unsigned char *json_skip_plain(const unsigned char *p, const unsigned char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    for (; (size_t)(end - p) >= sizeof word; p += sizeof word) {
        memcpy(&word, p, sizeof word);
        uint64_t quote = (word ^ ones * '"') - ones, backslash = (word ^ ones * '\\') - ones;
        uint64_t odd = (word | (word - ones * 0x20) | quote | backslash) & ones << 7;
        if (odd == 0)
            continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return p + (__builtin_ctzll(odd) >> 3);
#else
        break;
#endif
    }
    while (p < end && json_is_plain(*p))
        p++;
    return p;
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
