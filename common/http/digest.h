/*
 * SHA-256 (FIPS 180-4), to tell whether two bodies are the same without keeping them, and to
 * compare secrets in a time that tells nothing of them.
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_HTTP_DIGEST_H
#define SLUICE_HTTP_DIGEST_H

#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"

enum { HTTP_DIGEST_BYTES = 32, HTTP_DIGEST_HEX = 2 * HTTP_DIGEST_BYTES };

/* -EIO when it cannot be computed. */
int http_digest(struct slice text, unsigned char ret[HTTP_DIGEST_BYTES]) warn_unused_result;
/* The same in lower-case hex digits, with a NUL. */
int http_digest_hex(struct slice text, char ret[HTTP_DIGEST_HEX + 1]) warn_unused_result;

/* Whether two digests are equal; it takes as long either way. */
bool http_digest_eq(const unsigned char a[HTTP_DIGEST_BYTES],
                    const unsigned char b[HTTP_DIGEST_BYTES]);

#endif
