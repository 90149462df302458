#include "base/json.h"

#include "base/json_chars.h"
#include "base/utf8.h"

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
    while (p < end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++; /* the first of these conditions ends it for what is mostly there: no space */
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
        if (!json_is_digit(*c) && ((*c | 0x20) < 'a' || (*c | 0x20) > 'f'))
            return fail(s, p, "an escape \\u without four hex digits");
    }
    return c + 1;
}

static const unsigned char *scan_string(struct scanner *s, const unsigned char *p)
{
    const unsigned char *end = s->end;
    p++; /* the opening quote */
    for (;;) {
        p = json_skip_plain(p, end);
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
    const unsigned char *end = s->end;
    if (p == end || !json_is_digit(*p))
        return fail(s, p, "a number lacks a digit");
    while (p < end && json_is_digit(*p))
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
        if (*p != '-' && !json_is_digit(*p))
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
    const unsigned char *begin = json_bytes(text);
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
