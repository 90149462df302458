#include "http/path.h"

#include <ctype.h>

#include "base/utf8.h"

bool http_path_match(const char *pattern, const char *path, struct slice *ret)
{
    const char *brace = strchr(pattern, '{');
    if (!brace)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(brace - pattern);
    const char *after = strchr(brace, '}') + 1;
    if (strncmp(pattern, path, before) != 0)
        return false;
    size_t n = strcspn(path + before, "/");
    if (n == 0 || strcmp(path + before + n, after) != 0)
        return false;
    if (ret)
        *ret = (struct slice){path + before, n};
    return true;
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

static int decode(struct slice text, char plus, char *ret, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            bool whole = text.n - i > 2;
            int high = whole ? hex(text.p[i + 1]) : -1;
            int low = whole ? hex(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -EINVAL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = plus;
        }
        if (c == '\0' || n + 1 >= size)
            return -EINVAL;
        ret[n++] = c;
    }
    ret[n] = '\0';
    return utf8_ok((struct slice){ret, n}) ? 0 : -EINVAL;
}

int http_decode(struct slice text, char *ret, size_t size)
{
    return decode(text, '+', ret, size);
}

int http_decode_query(struct slice text, char *ret, size_t size)
{
    return decode(text, ' ', ret, size);
}
