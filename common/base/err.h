/*
 * Errors: a negative errno says what to do, an optional `struct err` says it in words.
 *
 * Functions return 0 or a negative code from the vocabulary below, so that callers can branch
 * without parsing text; those whose failure a person will read also take a `struct err *` last,
 * which may be NULL. Low layers return, the top logs once. The words may quote input: control
 * characters in them become spaces, so that an error stays one line and cannot drive a terminal,
 * and what is not UTF-8 becomes question marks.
 *
 *   -ENOTCONN     Redis cannot be reached or the connection broke: a write may have happened
 *   -ETIMEDOUT    a deadline passed before the operation began: nothing happened
 *   -ECANCELED    refused because we are stopping: nothing happened
 *   -EAGAIN       the server says "later" (LOADING, BUSY …): nothing happened
 *   -EROFS        the server is no master any more (READONLY, MASTERDOWN, UNBLOCKED): nothing
 *                 happened, and its connection is given up
 *   -ENOSPC       the server is out of memory or cannot persist (OOM, MISCONF): nothing happened
 *   -EACCES       the server refused the credentials or the command (NOAUTH, NOPERM …)
 *   -EMEDIUMTYPE  a key holds another type than the one expected (WRONGTYPE)
 *   -ESTALE       the job is no longer ours: write nothing more for it
 *   -EBADMSG      a payload is not a job
 *   -EMSGSIZE     a reply holds more than we read; the connection is closed, the command has run
 *   -EPROTO       a reply of a shape or an error that we do not know
 *   -EINVAL       a bad argument or setting; -ENOMEM no memory; other errno values as usual
 *
 * Threads: a `struct err` belongs to one caller. Ownership: embedded, no heap.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <errno.h>
#include <stdarg.h>

#define warn_unused_result     __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

struct err {
    char text[512]; /* one line, no newline, never a secret; "" until set */
};

/* Formats the sentence (cut to fit) when err is not NULL. Returns code, so that
 * `return err_set(err, -EINVAL, "…")` reads as one step. */
int err_set(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);
int err_vset(struct err *err, int code, const char *fmt, va_list ap) printf_like(3, 0);

/* Puts "prefix: " before the sentence that is there. Returns code. */
int err_prefix(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

/* A short constant phrase for a code of the vocabulary, e.g. "Redis cannot be reached". */
const char *err_phrase(int code);

#endif
