#include "conf/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "conf/conf.h"
#include "conf/queues.h"

/* Only the field's own type is ever read or written through these. */
#define FIELD_AT(type, f, base) ((type *)(void *)((char *)(base) + (f)->offset))
#define FIELD_IN(type, f, base) ((const type *)(const void *)((const char *)(base) + (f)->offset))

enum { RETRY_TRUE = 25 }; /* Sidekiq's */

static const char digits[] = "0123456789";
static const char mask[] = "********";

static bool parse_whole(const char *text, int64_t *ret)
{
    size_t n = strspn(text, digits);
    if (n == 0 || text[n] || (n > 1 && text[0] == '0'))
        return false;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno)
        return false;
    *ret = value;
    return true;
}

static bool parse_seconds(const char *text, double *ret)
{
    size_t whole = strspn(text, digits), n = whole;
    if (text[n] == '.') {
        size_t fraction = strspn(text + n + 1, digits);
        n += fraction ? 1 + fraction : 0;
    }
    if (whole == 0 || text[n] || (whole > 1 && text[0] == '0'))
        return false;
    *ret = strtod(text, NULL);
    return true;
}

static bool parse_bool(const char *text, bool *ret)
{
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (int value = 0; value < 2; value++)
            if (strcmp(text, words[i][value]) == 0) {
                *ret = value;
                return true;
            }
    return false;
}

static bool parse_choice(const char *const *choices, const char *text, int *ret)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(text, choices[i]) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

static bool is_printable(const char *text)
{
    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            return false;
    return true;
}

static bool is_url(const char *text)
{
    static const char *const schemes[] = {"redis://", "rediss://", "unix://", "redis+sentinel://",
                                          "rediss+sentinel://"};
    if (!is_printable(text) || strchr(text, ' '))
        return false;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i]);
        if (strncmp(text, schemes[i], n) == 0)
            return text[n];
    }
    return false;
}

/* "host:port", "[address]:port"; a bare IPv6 address would be ambiguous. */
static bool is_listen(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || colon == text || !parse_whole(colon + 1, &port) || port < 1 || port > 65535)
        return false;
    if (text[0] == '[')
        return colon > text + 2 && colon[-1] == ']';
    return strchr(text, ':') == colon && is_printable(text) && !strchr(text, ' ');
}

static int store_text(const struct field *f, void *base, const char *text)
{
    char *copy = NULL;
    if (text) {
        copy = strdup(text);
        if (!copy)
            return -ENOMEM;
    }
    char **at = FIELD_AT(char *, f, base);
    free(*at);
    *at = copy;
    return 0;
}

static bool in_range(const struct field *f, double value)
{
    return value >= f->min && value <= f->max;
}

/* 0, -EINVAL when the text is not allowed, -ENOMEM. */
static int parse(const struct field *f, void *base, const char *text)
{
    int64_t whole;
    double real;
    bool flag;
    int choice;

    switch (f->type) {
    case VALUE_TEXT:
    case VALUE_SECRET:
        if (!in_range(f, (double)strlen(text)) || !is_printable(text))
            return -EINVAL;
        return store_text(f, base, text);
    case VALUE_URL:
        return is_url(text) ? store_text(f, base, text) : -EINVAL;
    case VALUE_LISTEN:
        if (strcmp(text, "off") == 0)
            return store_text(f, base, NULL);
        return is_listen(text) ? store_text(f, base, text) : -EINVAL;
    case VALUE_INT:
        if (!parse_whole(text, &whole) || !in_range(f, (double)whole))
            return -EINVAL;
        *FIELD_AT(int, f, base) = (int)whole;
        return 0;
    case VALUE_RETRY:
        if (parse_bool(text, &flag)) {
            *FIELD_AT(int64_t, f, base) = flag ? RETRY_TRUE : 0;
            return 0;
        }
        /* fall through */
    case VALUE_LONG:
        if (!parse_whole(text, &whole) || !in_range(f, (double)whole))
            return -EINVAL;
        *FIELD_AT(int64_t, f, base) = whole;
        return 0;
    case VALUE_SECONDS:
        if (!parse_seconds(text, &real) || !in_range(f, real))
            return -EINVAL;
        *FIELD_AT(double, f, base) = real;
        return 0;
    case VALUE_BOOL:
        if (!parse_bool(text, &flag))
            return -EINVAL;
        *FIELD_AT(bool, f, base) = flag;
        return 0;
    case VALUE_CHOICE:
        if (!parse_choice(f->choices, text, &choice))
            return -EINVAL;
        *FIELD_AT(int, f, base) = choice;
        return 0;
    case VALUE_QUEUES:
        break; /* has words of its own: value_parse() */
    }
    return -EINVAL;
}

int value_refuse(const struct field *f, const char *what, struct err *err)
{
    struct buf allowed = {0};
    value_put_allowed(f, &allowed);
    int rc = err_set(err, -EINVAL, "%s is %s, must be %s", f->name, what, buf_str(&allowed));
    buf_release(&allowed);
    return rc;
}

int value_parse(const struct field *f, void *base, const char *text, struct err *err)
{
    if (f->type == VALUE_QUEUES) {
        int rc = queues_parse(base, text, err);
        return rc < 0 ? err_prefix(err, rc, "%s", f->name) : 0;
    }
    int rc = parse(f, base, text);
    if (rc == -ENOMEM)
        return err_set(err, rc, "%s: no memory", f->name);
    if (rc == -EINVAL) {
        char what[80];
        bool secret = f->type == VALUE_SECRET || f->type == VALUE_URL;
        (void)snprintf(what, sizeof what, "\"%.60s\"", text); /* long ones are cut */
        return value_refuse(f, secret ? "not usable" : what, err);
    }
    return rc;
}

void value_put_allowed(const struct field *f, struct buf *out)
{
    switch (f->type) {
    case VALUE_TEXT:
    case VALUE_SECRET:
        buf_printf(out, "text of %.0f to %.0f printable bytes", f->min, f->max);
        break;
    case VALUE_URL:
        buf_puts(out, "an address that begins with redis://, rediss://, unix://, redis+sentinel:// "
                      "or rediss+sentinel://");
        break;
    case VALUE_LISTEN:
        buf_puts(out, "host:port with a port from 1 to 65535, or off");
        break;
    case VALUE_INT:
    case VALUE_LONG:
        buf_printf(out, "a whole number from %.0f to %.0f", f->min, f->max);
        break;
    case VALUE_RETRY:
        buf_printf(out, "a whole number from %.0f to %.0f, true or false", f->min, f->max);
        break;
    case VALUE_SECONDS:
        buf_printf(out, "a number of seconds from %g to %.0f", f->min, f->max);
        break;
    case VALUE_BOOL:
        buf_puts(out, "true or false (or yes, no, on, off)");
        break;
    case VALUE_CHOICE:
        for (int i = 0; f->choices[i]; i++) {
            if (i > 0)
                buf_puts(out, f->choices[i + 1] ? ", " : " or ");
            buf_puts(out, f->choices[i]);
        }
        break;
    case VALUE_QUEUES:
        buf_printf(out, "a list of names, or name:weight with a weight from 1 to %d",
                   CONF_QUEUE_WEIGHT_MAX);
        break;
    }
}

/* Appends the character of n bytes at p. Whatever YAML would refuse or take for the end of a line
 * is escaped: controls, U+2028 and U+2029, the byte order mark and what is no character. A byte
 * that is not UTF-8 (n == 0), which only a variable can bring, is shown as its number. */
static void put_character(const unsigned char *p, size_t n, struct buf *out)
{
    unsigned code = *p;
    if (n == 2)
        code = (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
    else if (n == 3)
        code = (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
    if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
        buf_printf(out, "\\x%02x", code);
    } else if (code == 0x2028 || code == 0x2029 || code == 0xfeff || code == 0xfffe ||
               code == 0xffff) {
        buf_printf(out, "\\u%04x", code);
    } else {
        if (code == '"' || code == '\\')
            buf_putc(out, '\\');
        buf_append(out, p, n);
    }
}

void value_put_quoted(const char *text, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);
    buf_putc(out, '"');
    while (p < end) {
        size_t n = *p < 0x80 ? 1 : utf8_length(p, end);
        put_character(p, n, out);
        p += n ? n : 1;
    }
    buf_putc(out, '"');
}

/* Up to the last @ of all, rather too much than too little: a password may hold any byte. */
static void put_url(const char *url, struct buf *out)
{
    struct buf shown = {0};
    const char *rest = strstr(url, "://") + 3;
    const char *at = strrchr(rest, '@');
    buf_append(&shown, url, (size_t)(rest - url));
    if (at) {
        buf_puts(&shown, mask);
        rest = at;
    }
    buf_puts(&shown, rest);
    value_put_quoted(buf_str(&shown), out);
    buf_release(&shown);
}

/* With as many decimals as it takes; %g would write an exponent, which is not read back. */
static void put_seconds(double value, struct buf *out)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%.9f", value);
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    buf_append(out, text, (size_t)n);
}

static bool put_text(const struct field *f, const char *text, struct buf *out)
{
    if (!text)
        return false;
    if (f->type == VALUE_URL)
        put_url(text, out);
    else
        value_put_quoted(f->type == VALUE_SECRET ? mask : text, out);
    return true;
}

bool value_put(const struct field *f, const void *base, struct buf *out)
{
    switch (f->type) {
    case VALUE_TEXT:
    case VALUE_SECRET:
    case VALUE_URL:
        return put_text(f, *FIELD_IN(char *, f, base), out);
    case VALUE_LISTEN:
        if (!put_text(f, *FIELD_IN(char *, f, base), out))
            buf_puts(out, "off");
        break;
    case VALUE_INT:
        buf_printf(out, "%d", *FIELD_IN(int, f, base));
        break;
    case VALUE_RETRY:
        if (*FIELD_IN(int64_t, f, base) < 0)
            return false;
        /* fall through */
    case VALUE_LONG:
        buf_printf(out, "%" PRId64, *FIELD_IN(int64_t, f, base));
        break;
    case VALUE_SECONDS:
        put_seconds(*FIELD_IN(double, f, base), out);
        break;
    case VALUE_BOOL:
        buf_puts(out, *FIELD_IN(bool, f, base) ? "true" : "false");
        break;
    case VALUE_CHOICE:
        buf_puts(out, f->choices[*FIELD_IN(int, f, base)]);
        break;
    case VALUE_QUEUES:
        queues_put(base, out);
        break;
    }
    return true;
}

bool value_is_textual(const struct field *f)
{
    switch (f->type) {
    case VALUE_INT:
    case VALUE_LONG:
    case VALUE_RETRY:
    case VALUE_SECONDS:
    case VALUE_BOOL:
        return false;
    default:
        return true;
    }
}

static bool same_queues(const struct conf *a, const struct conf *b)
{
    bool same = a->nqueues == b->nqueues;
    for (int i = 0; same && i < a->nqueues; i++)
        same = strcmp(a->queues[i].name, b->queues[i].name) == 0 &&
               a->queues[i].weight == b->queues[i].weight;
    return same;
}

bool value_same(const struct field *f, const void *base, const void *other)
{
    const char *a, *b;
    switch (f->type) {
    case VALUE_TEXT:
    case VALUE_SECRET:
    case VALUE_URL:
    case VALUE_LISTEN:
        a = *FIELD_IN(char *, f, base);
        b = *FIELD_IN(char *, f, other);
        return a && b ? strcmp(a, b) == 0 : a == b;
    case VALUE_INT:
    case VALUE_CHOICE:
        return *FIELD_IN(int, f, base) == *FIELD_IN(int, f, other);
    case VALUE_LONG:
    case VALUE_RETRY:
        return *FIELD_IN(int64_t, f, base) == *FIELD_IN(int64_t, f, other);
    case VALUE_SECONDS: /* both were read from decimals: the same one is the same double */
        return *FIELD_IN(double, f, base) == *FIELD_IN(double, f, other);
    case VALUE_BOOL:
        return *FIELD_IN(bool, f, base) == *FIELD_IN(bool, f, other);
    case VALUE_QUEUES:
        break;
    }
    return same_queues(base, other);
}

void value_free(const struct field *f, void *base)
{
    switch (f->type) {
    case VALUE_TEXT:
    case VALUE_SECRET:
    case VALUE_URL:
    case VALUE_LISTEN:
        free(*FIELD_AT(char *, f, base));
        *FIELD_AT(char *, f, base) = NULL;
        break;
    case VALUE_QUEUES:
        queues_release(base);
        break;
    default:
        break; /* nothing of its own */
    }
}
