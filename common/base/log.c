#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

/* A value is cut where TEXT_MAX_BYTES are full. What follows is room for its last character or
 * escape, the closing quote and brace and the newline: a line that was cut is still well formed. */
enum { LINE_MAX_BYTES = 8192, TEXT_MAX_BYTES = LINE_MAX_BYTES - 16 };
enum { NUMBER_MAX_BYTES = 40 };

static atomic_int current_level = LOG_INFO;
static atomic_int current_format = LOG_LOGFMT;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct line {
    char p[LINE_MAX_BYTES];
    size_t n; /* <= LINE_MAX_BYTES */
};

void log_setup(enum log_level level, enum log_format format)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
    atomic_store_explicit(&current_format, (int)format, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&current_level, memory_order_relaxed);
}

static void put(struct line *l, const char *p, size_t n)
{
    assert(n <= sizeof l->p - l->n);
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void puts_(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* The bytes of the character at p; 0 when they are not UTF-8. */
static size_t character(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return length <= n && utf8_ok((struct slice){p, length}) ? length : 0;
}

/* Quoted as JSON; logfmt readers take the same escapes. Control bytes never reach a terminal, and
 * what is not UTF-8 (a child's stderr, a foreign class) does not spoil the line for its reader. */
static void put_quoted(struct line *l, struct slice s)
{
    puts_(l, "\"");
    for (size_t i = 0, step; i < s.n && l->n < TEXT_MAX_BYTES; i += step) {
        char esc[8];
        unsigned char c = (unsigned char)s.p[i];
        step = character(s.p + i, s.n - i);
        if (step == 0) {
            puts_(l, "\xef\xbf\xbd");
            step = 1;
        } else if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char)c;
            put(l, esc, 2);
        } else if (c == '\n') {
            puts_(l, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            int n = snprintf(esc, sizeof esc, "\\u%04x", c);
            put(l, esc, (size_t)n);
        } else {
            put(l, s.p + i, step);
        }
    }
    puts_(l, "\"");
}

static bool is_plain(struct slice s)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
            return false;
    }
    return true;
}

static void put_field(struct line *l, bool json, const struct log_field *f)
{
    char num[NUMBER_MAX_BYTES];
    if (l->n + strlen(f->key) + NUMBER_MAX_BYTES > TEXT_MAX_BYTES)
        return; /* left out whole: half a field would be no field */
    if (json) {
        puts_(l, ",\"");
        puts_(l, f->key);
        puts_(l, "\":");
    } else {
        puts_(l, " ");
        puts_(l, f->key);
        puts_(l, "=");
    }
    switch (f->kind) {
    case LOG_INT:
        (void)snprintf(num, sizeof num, "%" PRId64, f->num);
        puts_(l, num);
        break;
    case LOG_REAL:
        (void)snprintf(num, sizeof num, "%.6g", isfinite(f->real) ? f->real : 0.0);
        puts_(l, num);
        break;
    case LOG_STR:
    case LOG_END:
        if (!json && is_plain(f->str) && f->str.n < TEXT_MAX_BYTES - l->n)
            put(l, f->str.p, f->str.n);
        else
            put_quoted(l, f->str);
        break;
    }
}

static void put_time(struct line *l)
{
    int64_t us = clock_wall_us();
    time_t sec = (time_t)(us / 1000000);
    struct tm tm;
    char text[40];
    (void)gmtime_r(&sec, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    put(l, text, n);
    (void)snprintf(text, sizeof text, ".%03dZ", (int)(us / 1000 % 1000));
    puts_(l, text);
}

static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(STDERR_FILENO, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return; /* nowhere left to report it */
        p += w;
        n -= (size_t)w;
    }
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
    int saved_errno = errno; /* a log line between a call and its errno changes nothing */
    bool json = atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_JSON;
    struct line l;
    l.n = 0;
    puts_(&l, json ? "{\"ts\":\"" : "ts=");
    put_time(&l);
    puts_(&l, json ? "\",\"level\":\"" : " level=");
    puts_(&l, level_names[level]);
    puts_(&l, json ? "\",\"msg\":" : " msg=");
    put_quoted(&l, slice_of(msg));
    for (const struct log_field *f = fields; f->kind != LOG_END; f++)
        put_field(&l, json, f);
    if (json)
        puts_(&l, "}");
    puts_(&l, "\n");
    write_all(l.p, l.n);
    errno = saved_errno;
}
