#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "base/json_chars.h"
#include "base/utf8.h"

/* What stands between the quotes. */
static struct slice inside(struct slice string)
{
    return (struct slice){string.p + 1, string.n - 2};
}

/* The UTF-16 unit that an escape stands for; *p moves from its backslash to its end. */
static unsigned unescape(const char **p)
{
    static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
    char c = (*p)[1];
    if (c != 'u') {
        const char *letter = memchr(letters, c, 5);
        *p += 2;
        return letter ? (unsigned char)controls[letter - letters] : (unsigned char)c;
    }
    unsigned unit = 0;
    for (int i = 2; i < 6; i++) {
        unsigned hex = (unsigned char)(*p)[i];
        unit = unit << 4 | (hex <= '9' ? hex - '0' : (hex | 0x20) - 'a' + 10);
    }
    *p += 6;
    return unit;
}

bool json_key_is(struct slice key, const char *name)
{
    if (key.n == 0)
        return false; /* an array's element has none */
    struct slice text = inside(key);
    size_t name_n = strlen(name);
    if (text.n <= name_n) /* an escape only makes it longer */
        return text.n == name_n && memcmp(text.p, name, name_n) == 0;
    const char *p = text.p, *end = p + text.n;
    if (!memchr(p, '\\', text.n))
        return false;
    while (p < end) {
        unsigned unit = *p == '\\' ? unescape(&p) : (unsigned char)*p++;
        if (*name == '\0' || unit != (unsigned char)*name++)
            return false;
    }
    return *name == '\0';
}

/* Looks for what cJSON cannot decode. -EINVAL for \u0000; else 0, and each surrogate escape
 * without its partner is overwritten by the escape of U+FFFD, which is as long. */
static int mend_escapes(char *text, size_t n)
{
    const char *end = text + n, *p = text;
    while ((p = memchr(p, '\\', (size_t)(end - p)))) {
        char *escape = text + (p - text);
        unsigned unit = unescape(&p);
        if (unit == 0)
            return -EINVAL;
        if ((unit & 0xf800) != 0xd800)
            continue;
        if (unit < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            const char *after = p;
            if ((unescape(&after) & 0xfc00) == 0xdc00) {
                p = after;
                continue;
            }
        }
        memcpy(escape, "\\ufffd", 6);
    }
    return 0;
}

int json_decode_into(struct slice value, char *ret, size_t *ret_n)
{
    struct slice text = inside(value);
    if (!memchr(text.p, '\\', text.n)) {
        memcpy(ret, text.p, text.n);
        ret[text.n] = '\0';
        *ret_n = text.n;
        return 0;
    }
    memcpy(ret, value.p, value.n); /* also the scratch space for what cJSON gets to see */
    int rc = mend_escapes(ret + 1, text.n);
    if (rc != 0)
        return rc;
    cJSON *string = cJSON_ParseWithLengthOpts(ret, value.n, NULL, false);
    if (!string)
        return -ENOMEM;
    size_t n = strlen(string->valuestring);
    memcpy(ret, string->valuestring, n + 1);
    *ret_n = n;
    cJSON_Delete(string);
    return 0;
}

int json_decode_string(struct slice value, struct buf *ret)
{
    buf_clear(ret);
    buf_put(ret, value); /* makes the room that json_decode_into() asks for */
    int rc = buf_error(ret);
    if (rc == 0)
        rc = json_decode_into(value, ret->p, &ret->n);
    if (rc != 0)
        buf_clear(ret);
    return rc;
}

int json_decode_int(struct slice value, int64_t *ret)
{
    bool negative = value.p[0] == '-';
    int64_t n = 0; /* counted downwards: INT64_MIN has no positive twin */
    for (size_t i = negative; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (!json_is_digit(c) || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_sub_overflow(n, c - '0', &n))
            return -ERANGE;
    }
    if (!negative && __builtin_sub_overflow(0, n, &n))
        return -ERANGE;
    *ret = n;
    return 0;
}

/* Decimals whose digits make an integer below 2^53, over a power of ten that a double holds
 * exactly: one division is then correctly rounded (Clinger 1990). That is every timestamp, at a
 * tenth of the cost of strtod(). */
static bool decode_short_real(struct slice value, double *ret)
{
    static const double power_of_ten[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                          1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const unsigned char *p = json_bytes(value), *end = p + value.n, *fraction;
    bool negative = *p == '-';
    uint64_t n = 0;
    if (value.n > 17)
        return false;
    for (p += negative; p < end && json_is_digit(*p); p++)
        n = n * 10 + (*p - '0');
    p += p < end && *p == '.';
    for (fraction = p; p < end && json_is_digit(*p); p++)
        n = n * 10 + (*p - '0');
    if (p < end || n > UINT64_C(1) << 53)
        return false;
    double real = (double)n / power_of_ten[p - fraction];
    *ret = negative ? -real : real;
    return true;
}

int json_decode_real(struct slice value, double *ret)
{
    if (decode_short_real(value, ret))
        return 0;
    char text[JSON_NUMBER_MAX + 1]; /* strtod() wants a NUL after the number */
    if (value.n >= sizeof text)
        return -ERANGE;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    double real = strtod(text, NULL); /* no program of ours sets LC_NUMERIC */
    if (!isfinite(real))
        return -ERANGE;
    *ret = real;
    return 0;
}

/* ---- Writing ---------------------------------------------------------------------------- */

static void put_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_form[128] = {
        ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (short_form[c])
        buf_append(out, (char[]){'\\', short_form[c]}, 2);
    else
        buf_append(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

void json_put_string(struct buf *out, struct slice text, size_t max)
{
    const unsigned char *p = json_bytes(text), *end = p + text.n;
    const unsigned char *limit = text.n > max ? p + max : end;
    buf_putc(out, '"');
    while (p < limit) {
        const unsigned char *run = p;
        p = json_skip_plain(p, limit);
        buf_append(out, run, (size_t)(p - run));
        if (p == limit)
            break;
        if (*p < 0x80) {
            put_escape(out, *p++);
            continue;
        }
        size_t n = utf8_length(p, end);
        if (n > (size_t)(limit - p))
            break; /* the cut falls into this character */
        if (n == 0)
            buf_puts(out, "\xef\xbf\xbd");
        else
            buf_append(out, p, n);
        p += n ? n : 1;
    }
    buf_putc(out, '"');
}
