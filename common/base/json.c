#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

/* ---- Characters ------------------------------------------------------------------------- */

/* True for the bytes that stand for themselves inside a JSON string: ASCII from the space on,
 * without the quote and the backslash. */
static const bool plain[256] = {
    [0x20 ... 0x21] = true,
    [0x23 ... 0x5b] = true,
    [0x5d ... 0x7f] = true,
};

/* An empty slice may point nowhere, and nothing can be added to that. */
static const unsigned char *bytes_of(struct slice text)
{
    return (const unsigned char *)(text.n > 0 ? text.p : "");
}

static inline bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* The length of the UTF-8 character of two bytes or more that starts at p; 0 when there is none.
 * The second byte's range shuts out overlong forms, surrogates and what is beyond U+10FFFF
 * (Unicode 15, table 3-7). */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
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

bool json_utf8_ok(struct slice text)
{
    const unsigned char *p = bytes_of(text), *end = p + text.n;
    while (p < end) {
        size_t n = *p < 0x80 ? 1 : utf8_length(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

/* ---- The scanner ------------------------------------------------------------------------ */

/* Each step below takes the position of what it expects and returns the position after it, or
 * NULL once the scan is over: because the text is bad (what, at) or the visitor stopped it.
 *
 * The open containers are a stack of the brackets that will close them: depth costs a byte each
 * and never a stack frame. */
struct scanner {
    const unsigned char *end;
    unsigned char closers[JSON_MAX_DEPTH];
    int depth;
    struct slice key;           /* of the top-level member at hand; none in an array */
    const unsigned char *value; /* where its value begins */
    json_visit *visit;
    void *ctx;
    int stopped;
    const char *what;
    const unsigned char *at;
};

static const unsigned char *fail(struct scanner *s, const unsigned char *at, const char *what)
{
    s->at = at;
    s->what = at == s->end ? "the text ends too early" : what;
    return NULL;
}

static inline const unsigned char *skip_space(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static const unsigned char *scan_escape(struct scanner *s, const unsigned char *p)
{
    const unsigned char *c = p + 1;
    if (c == s->end)
        return fail(s, c, NULL);
    if (*c != 'u')
        return memchr("\"\\/bfnrt", *c, 8) ? c + 1 : fail(s, p, "an unknown escape in a string");
    for (int i = 0; i < 4; i++) {
        if (++c == s->end)
            return fail(s, c, NULL);
        if (!is_digit(*c) && ((*c | 0x20) < 'a' || (*c | 0x20) > 'f'))
            return fail(s, p, "an escape \\u without four hex digits");
    }
    return c + 1;
}

static const unsigned char *scan_string(struct scanner *s, const unsigned char *p)
{
    const unsigned char *end = s->end;
    p++; /* the opening quote */
    for (;;) {
        while (p < end && plain[*p])
            p++;
        if (p == end)
            return fail(s, p, NULL);
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            p = scan_escape(s, p);
            if (!p)
                return NULL;
        } else if (*p < 0x20) {
            return fail(s, p, "a control character in a string");
        } else {
            size_t n = utf8_length(p, end);
            if (n == 0)
                return fail(s, p, "a byte that is not UTF-8");
            p += n;
        }
    }
}

static const unsigned char *scan_digits(struct scanner *s, const unsigned char *p)
{
    if (p == s->end || !is_digit(*p))
        return fail(s, p, "a number lacks a digit");
    while (p < s->end && is_digit(*p))
        p++;
    return p;
}

static const unsigned char *scan_number(struct scanner *s, const unsigned char *p)
{
    if (*p == '-')
        p++;
    if (p < s->end && *p == '0')
        p++; /* and no further digit: 012 fails as a missing comma */
    else
        p = scan_digits(s, p);
    if (p && p < s->end && *p == '.')
        p = scan_digits(s, p + 1);
    if (p && p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        p = scan_digits(s, p);
    }
    return p;
}

static const unsigned char *scan_word(struct scanner *s, const unsigned char *p, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - p) < n || memcmp(p, word, n) != 0)
        return fail(s, p, "neither true, false, null nor another value");
    return p + n;
}

static const unsigned char *scan_scalar(struct scanner *s, const unsigned char *p)
{
    switch (*p) {
    case '"':
        return scan_string(s, p);
    case 't':
        return scan_word(s, p, "true");
    case 'f':
        return scan_word(s, p, "false");
    case 'n':
        return scan_word(s, p, "null");
    default:
        if (*p != '-' && !is_digit(*p))
            return fail(s, p, "no value can start here");
        return scan_number(s, p);
    }
}

/* From where a member or element must start to the first byte of its value. */
static const unsigned char *scan_key(struct scanner *s, const unsigned char *p)
{
    if (s->closers[s->depth - 1] == '}') {
        const unsigned char *key = p;
        if (p == s->end || *p != '"')
            return fail(s, p, "a key in quotes is missing");
        p = scan_string(s, p);
        if (!p)
            return NULL;
        if (s->depth == 1)
            s->key = (struct slice){(const char *)key, (size_t)(p - key)};
        p = skip_space(p, s->end);
        if (p == s->end || *p != ':')
            return fail(s, p, "a colon is missing after a key");
        p = skip_space(p + 1, s->end);
    }
    if (s->depth == 1)
        s->value = p;
    return p;
}

/* From the first byte of a value to the end of the first scalar or empty container in it; the
 * brackets on the way are left open. */
static const unsigned char *descend(struct scanner *s, const unsigned char *p)
{
    for (;;) {
        if (p == s->end)
            return fail(s, p, NULL);
        if (*p != '{' && *p != '[')
            return scan_scalar(s, p);
        if (s->depth == JSON_MAX_DEPTH)
            return fail(s, p, "nesting deeper than 100");
        unsigned char closer = *p == '{' ? '}' : ']';
        p = skip_space(p + 1, s->end);
        if (p < s->end && *p == closer)
            return p + 1;
        s->closers[s->depth++] = closer;
        p = scan_key(s, p);
        if (!p)
            return NULL;
    }
}

static bool visit_member(struct scanner *s, const unsigned char *value_end)
{
    const char *end = (const char *)value_end, *value = (const char *)s->value;
    const char *begin = s->key.n ? s->key.p : value;
    struct json_member member = {
        .key = s->key,
        .value = {value, (size_t)(end - value)},
        .whole = {begin, (size_t)(end - begin)},
    };
    member.type = json_type_of(member.value);
    s->stopped = s->visit(s->ctx, &member);
    return s->stopped == 0;
}

/* From the end of a value, closing what ends with it, to the first byte of the next value; or to
 * the end of the whole when nothing is left open. */
static const unsigned char *ascend(struct scanner *s, const unsigned char *p)
{
    for (; s->depth > 0; s->depth--, p++) {
        if (s->depth == 1 && s->visit && !visit_member(s, p))
            return NULL;
        p = skip_space(p, s->end);
        if (p == s->end || (*p != ',' && *p != s->closers[s->depth - 1]))
            return fail(s, p, "neither a comma nor the closing bracket");
        if (*p == ',')
            return scan_key(s, skip_space(p + 1, s->end));
    }
    return p;
}

int json_scan(struct slice text, enum json_type *ret_type, json_visit *visit, void *ctx,
              struct err *err)
{
    const unsigned char *begin = bytes_of(text);
    /* Member by member, because clearing the stack would cost as much as scanning a short text. */
    struct scanner s;
    s.end = begin + text.n;
    s.depth = 0;
    s.key = (struct slice){0};
    s.visit = visit;
    s.ctx = ctx;
    s.stopped = 0;

    const unsigned char *value = skip_space(begin, s.end), *p = value;
    do {
        p = descend(&s, p);
        if (p)
            p = ascend(&s, p);
    } while (p && s.depth > 0);
    if (p) {
        p = skip_space(p, s.end);
        if (p != s.end)
            p = fail(&s, p, "more text after the value");
    }
    if (!p && s.stopped)
        return s.stopped;
    if (!p)
        return err_set(err, -EBADMSG, "not JSON: %s at byte %zu", s.what, (size_t)(s.at - begin));
    *ret_type = json_type_of((struct slice){(const char *)value, 1});
    return 0;
}

/* ---- Single values ---------------------------------------------------------------------- */

enum json_type json_type_of(struct slice value)
{
    switch (value.p[0]) {
    case 'n':
        return JSON_NULL;
    case 'f':
        return JSON_FALSE;
    case 't':
        return JSON_TRUE;
    case '"':
        return JSON_STRING;
    case '[':
        return JSON_ARRAY;
    case '{':
        return JSON_OBJECT;
    default:
        return JSON_NUMBER;
    }
}

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
        if (!is_digit(c) || __builtin_mul_overflow(n, 10, &n) ||
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
    bool negative = value.p[0] == '-', in_fraction = false;
    size_t decimals = 0;
    uint64_t n = 0;
    if (value.n > 17)
        return false;
    for (size_t i = negative; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c == '.') {
            in_fraction = true;
        } else if (is_digit(c)) {
            n = n * 10 + (c - '0');
            decimals += in_fraction;
        } else {
            return false;
        }
    }
    if (n > UINT64_C(1) << 53)
        return false;
    double real = (double)n / power_of_ten[decimals];
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
    const unsigned char *p = bytes_of(text), *end = p + text.n;
    const unsigned char *limit = text.n > max ? p + max : end;
    buf_putc(out, '"');
    while (p < limit) {
        const unsigned char *run = p;
        while (p < limit && plain[*p])
            p++;
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
