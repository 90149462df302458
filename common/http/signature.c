#include "http/signature.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int http_signature_put(struct buf *out, struct slice secret, int64_t at, struct slice body)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf text = {0};
    buf_printf(&text, "%" PRId64 ".", at);
    buf_put(&text, body);
    int rc = buf_error(&text);
    if (rc == 0 && !HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)text.p,
                         text.n, digest, &n))
        rc = -EIO;
    buf_release(&text);
    if (rc < 0)
        return rc;
    buf_printf(out, "Sluice-Signature: t=%" PRId64 ",v1=", at);
    for (unsigned i = 0; i < n; i++)
        buf_printf(out, "%02x", digest[i]);
    return buf_error(out);
}
