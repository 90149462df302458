#include "http/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

int http_digest(struct slice text, unsigned char ret[HTTP_DIGEST_BYTES])
{
    unsigned n = 0;
    if (EVP_Digest(text.n ? text.p : "", text.n, ret, &n, EVP_sha256(), NULL) != 1)
        return -EIO;
    return 0;
}

int http_digest_hex(struct slice text, char ret[HTTP_DIGEST_HEX + 1])
{
    unsigned char digest[HTTP_DIGEST_BYTES];
    int rc = http_digest(text, digest);
    for (int i = 0; rc == 0 && i < HTTP_DIGEST_BYTES; i++)
        (void)snprintf(ret + 2 * (size_t)i, 3, "%02x", digest[i]); /* fits */
    return rc;
}

bool http_digest_eq(const unsigned char a[HTTP_DIGEST_BYTES],
                    const unsigned char b[HTTP_DIGEST_BYTES])
{
    return CRYPTO_memcmp(a, b, HTTP_DIGEST_BYTES) == 0;
}
