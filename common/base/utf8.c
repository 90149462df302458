#include "base/utf8.h"

size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    size_t n;
    unsigned char low = 0x80, high = 0xbf;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : 0x80;
        high = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = p[0] == 0xf0 ? 0x90 : 0x80;
        high = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if ((size_t)(end - p) < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

bool utf8_ok(struct slice text)
{
    /* An empty slice may point nowhere, and nothing can be added to that. */
    const unsigned char *p = (const unsigned char *)(text.n > 0 ? text.p : ""), *end = p + text.n;
    while (p < end) {
        size_t n = *p < 0x80 ? 1 : utf8_length(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}
