#include "http/base64.h"

#include <limits.h>
#include <openssl/evp.h>

int http_base64_decode(struct slice text, unsigned char *ret, size_t size, size_t *ret_n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t padding = 0;
    if (text.n % 4 != 0 || text.n > INT_MAX || text.n / 4 * 3 > size)
        return -EINVAL;
    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
        padding++;
    /* The library passes over white space at both ends and takes padding for zeros. */
    for (size_t i = 0; i < text.n - padding; i++)
        if (text.p[i] == '\0' || !strchr(alphabet, text.p[i]))
            return -EINVAL;
    int n = text.n > 0 ? EVP_DecodeBlock(ret, (const unsigned char *)text.p, (int)text.n) : 0;
    if (n < 0)
        return -EINVAL;
    *ret_n = (size_t)n - padding;
    return 0;
}
