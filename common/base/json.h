/*
 * JSON text, without ever re-encoding what is not ours.
 *
 * Payloads must survive byte for byte (64-bit integers, `[]`, `1.10`, escapes), so they are never
 * turned into a tree and back. A strict iterative scanner checks the whole text against RFC 8259
 * and hands out the top-level members as slices of it; single values are then decoded on demand
 * (strings with escapes through cJSON). cJSON itself accepts trailing garbage and bad UTF-8,
 * recurses, and finds the first of duplicate keys; that is why it sees only slices that passed
 * here.
 *
 * Strictness: exactly one value, UTF-8 without surrogates or overlong forms, numbers and escapes
 * as in RFC 8259 (`\uD800` alone is accepted: it is legal text), nesting at most
 * JSON_MAX_DEPTH, no byte 0x00. Numbers of any size pass: they are text to us.
 *
 * Threads: pure functions. Ownership: slices borrow from the text that was scanned.
 * Errors: -EBADMSG with what is wrong and at which byte, counted from 0.
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    JSON_MAX_DEPTH = 100,
    JSON_NUMBER_MAX = 400, /* the digits of any finite double written out, and some */
};

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* One top-level member of an object, or element of an array (then key is empty). */
struct json_member {
    struct slice key;   /* with its quotes and escapes, as in the text */
    struct slice value; /* as in the text, without surrounding white space */
    struct slice whole; /* from the key's first quote to the value's last byte */
    enum json_type type;
};

/* Called for each top-level member or element in order; non-zero stops the scan with that code. */
typedef int json_visit(void *ctx, const struct json_member *member);

/* Checks the whole text and reports its type; visit may be NULL. When the text turns out bad
 * after some members, visit has been called for those: act only after 0 is returned. */
int json_scan(struct slice text, enum json_type *ret_type, json_visit *visit, void *ctx,
              struct err *err) warn_unused_result;

/* The type of a value that has been scanned, by its first byte. */
static inline enum json_type json_type_of(struct slice value)
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

/* True when a scanned key, decoded, equals name (ASCII); false for the empty key of an element. */
bool json_key_is(struct slice key, const char *name);

/* Decodes a scanned JSON string into UTF-8 (replacing *ret's content); a lone surrogate becomes
 * U+FFFD. -EINVAL when it holds \u0000, which no C string can carry; -ENOMEM. */
int json_decode_string(struct slice value, struct buf *ret) warn_unused_result;

/* The same into memory of at least value.n bytes, which always suffice for the text and its NUL. */
int json_decode_into(struct slice value, char *ret, size_t *ret_n) warn_unused_result;

/* A scanned JSON number. -ERANGE when it is not written as an integer (`1.0`, `1e3`) or does not
 * fit / when it is not finite, or is longer than JSON_NUMBER_MAX bytes. */
int json_decode_int(struct slice value, int64_t *ret) warn_unused_result;
int json_decode_real(struct slice value, double *ret) warn_unused_result;

/* Appends text as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the result is
 * always valid JSON; at most max bytes of the text are taken (cut at a character). */
void json_put_string(struct buf *out, struct slice text, size_t max);

#endif
