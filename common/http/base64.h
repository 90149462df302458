/*
 * Base64 (RFC 4648, 4), for what HTTP hands over in it: user names and passwords.
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_HTTP_BASE64_H
#define SLUICE_HTTP_BASE64_H

#include "base/err.h"
#include "base/slice.h"

/* Decodes into ret, of `size` bytes. -EINVAL: it is none (padding is wanted, white space is not
 * taken), or needs more room: three bytes for each four characters. */
int http_base64_decode(struct slice text, unsigned char *ret, size_t size,
                       size_t *ret_n) warn_unused_result;

#endif
