/*
 * Paths of requests: matched against patterns like "/v1/jobs/{jid}", and their parts decoded.
 *
 * A parameter is one whole segment and never empty. It is taken from the path as it was sent and
 * decoded afterwards, so that "a%2Fb" is one parameter and no two segments.
 *
 * Threads: pure functions. Ownership: parameters borrow from the path.
 */
#ifndef SLUICE_HTTP_PATH_H
#define SLUICE_HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

/* At most one parameter; ret may be NULL, and stays untouched when the pattern has none. */
bool http_path_match(const char *pattern, const char *path, struct slice *ret);

/* Decodes %XX into ret, with a NUL. -EINVAL: a bad escape, a NUL in it, not UTF-8, or longer than
 * size - 1 bytes. */
int http_decode(struct slice text, char *ret, size_t size) warn_unused_result;
/* The same of a query's parameter, where a plus is a space: so forms and URLSearchParams write it.
 */
int http_decode_query(struct slice text, char *ret, size_t size) warn_unused_result;

#endif
