/*
 * A growable byte buffer, for text and payloads that are put together piece by piece.
 *
 * A failed allocation is sticky: later appends do nothing and buf_error() tells at the end, so
 * that a caller checks once and not after each append. The bytes are always NUL-terminated one
 * past `n`, for the sake of C library calls; the content itself may hold NULs.
 *
 * Threads: none. Ownership: embedded; buf_release() or buf_steal() ends it. Zero is a valid
 * empty buffer.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct buf {
    char *p; /* NULL until the first append */
    size_t n;
    size_t cap;
    bool failed;
};

void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory, forgets a failure */
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_put(struct buf *b, struct slice s);
void buf_put_int(struct buf *b, int64_t n); /* in decimal; printf takes six times as long */
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);

/* Drops the first n bytes (n <= b->n), moving the rest down. */
void buf_consume(struct buf *b, size_t n);

/* 0, or -ENOMEM when any append since the last clear failed. */
int buf_error(const struct buf *b) warn_unused_result;

/* The content as a C string, "" when empty; valid until the next change. */
const char *buf_str(const struct buf *b);
struct slice buf_slice(const struct buf *b);

/* Hands the memory to the caller (free()) and empties the buffer. NULL when it has failed. */
char *buf_steal(struct buf *b, size_t *ret_n) warn_unused_result;

#endif
