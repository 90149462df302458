#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static bool grow(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > SIZE_MAX / 2 - b->n) {
        b->failed = true;
        return false;
    }
    size_t need = b->n + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = '\0';
}

void buf_append(struct buf *b, const void *bytes, size_t n)
{
    if (!grow(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
    if (!grow(b, 1))
        return;
    b->p[b->n++] = c;
    b->p[b->n] = '\0';
}

void buf_put(struct buf *b, struct slice s)
{
    buf_append(b, s.p, s.n);
}

void buf_put_int(struct buf *b, int64_t n)
{
    char text[20]; /* a sign and 19 digits */
    size_t at = sizeof text;
    uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (n < 0)
        text[--at] = '-';
    buf_append(b, text + at, sizeof text - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    size_t room = b->failed ? 0 : b->cap - b->n; /* mostly it fits: no need to measure first */
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(room > 0 ? b->p + b->n : NULL, room, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < room) {
        b->n += (size_t)n;
    } else {
        if (room > 0)
            b->p[b->n] = '\0'; /* what was cut off is none of the content */
        if (n < 0)
            b->failed = true;
        else if (grow(b, (size_t)n)) {
            (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again); /* fits: measured above */
            b->n += (size_t)n;
        }
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = '\0';
}

int buf_error(const struct buf *b)
{
    return b->failed ? -ENOMEM : 0;
}

const char *buf_str(const struct buf *b)
{
    return b->p ? b->p : "";
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

char *buf_steal(struct buf *b, size_t *ret_n)
{
    if (b->failed || !grow(b, 0)) {
        buf_release(b);
        return NULL;
    }
    b->p[b->n] = '\0';
    char *p = b->p;
    if (ret_n)
        *ret_n = b->n;
    *b = (struct buf){0};
    return p;
}
