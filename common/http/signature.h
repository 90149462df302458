/*
 * Signed requests: who knows the secret can tell that a body comes from Sluice, and when it left.
 *
 *   Sluice-Signature: t=1700000000,v1=HEX
 *
 * HEX is the HMAC-SHA256 (RFC 2104), in lower case, of the time in decimal, a dot and the body. The
 * receiver computes it again, compares in constant time, and refuses times that are minutes old.
 * Source: the scheme of Stripe's webhooks.
 *
 * Threads: pure.
 */
#ifndef SLUICE_HTTP_SIGNATURE_H
#define SLUICE_HTTP_SIGNATURE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Appends the whole header. at: seconds since 1970. -ENOMEM, or -EIO when it cannot be computed. */
int http_signature_put(struct buf *out, struct slice secret, int64_t at,
                       struct slice body) warn_unused_result;

#endif
