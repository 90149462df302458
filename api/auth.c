#include "api/auth.h"

#include <strings.h>

#include "http/base64.h"

enum { CREDENTIALS_MAX = 3072 };

int auth_init(struct auth *a, const char *all, const char *read)
{
    int rc = 0;
    *a = (struct auth){.has_all = all, .has_read = read};
    if (all)
        rc = http_digest(slice_of(all), a->all);
    if (rc == 0 && read)
        rc = http_digest(slice_of(read), a->read);
    return rc;
}

bool auth_required(const struct auth *a)
{
    return a->has_all || a->has_read;
}

/* The token of "Bearer TOKEN", or of "Basic base64(USER:TOKEN)" in `plain`. */
static bool find_token(const char *authorization, unsigned char plain[CREDENTIALS_MAX],
                       struct slice *ret)
{
    static const char bearer[] = "Bearer ", basic[] = "Basic ";
    size_t n;
    if (strncasecmp(authorization, bearer, sizeof bearer - 1) == 0) {
        *ret = slice_of(authorization + sizeof bearer - 1);
        return true;
    }
    if (strncasecmp(authorization, basic, sizeof basic - 1) != 0 ||
        http_base64_decode(slice_of(authorization + sizeof basic - 1), plain, CREDENTIALS_MAX,
                           &n) != 0)
        return false;
    const unsigned char *colon = n > 0 ? memchr(plain, ':', n) : NULL; /* names have none */
    if (!colon)
        return false;
    *ret = (struct slice){(const char *)colon + 1, n - (size_t)(colon + 1 - plain)};
    return true;
}

enum rights auth_rights(const struct auth *a, const char *authorization)
{
    unsigned char given[HTTP_DIGEST_BYTES], plain[CREDENTIALS_MAX];
    struct slice token;
    if (!auth_required(a))
        return RIGHTS_ALL;
    if (!authorization || !find_token(authorization, plain, &token))
        return RIGHTS_NONE;
    if (http_digest(token, given) != 0)
        return RIGHTS_NONE;
    bool all = http_digest_eq(given, a->all) & a->has_all;
    bool read = http_digest_eq(given, a->read) & a->has_read;
    return all ? RIGHTS_ALL : read ? RIGHTS_READ : RIGHTS_NONE;
}
