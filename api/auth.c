#include "api/auth.h"

#include <strings.h>

#include "http/base64.h"

enum { CREDENTIALS_MAX = 3072 };

void auth_init(struct auth *a)
{
    *a = (struct auth){0};
    mutex_init(&a->mutex);
}

void auth_release(struct auth *a)
{
    mutex_release(&a->mutex);
}

int auth_set(struct auth *a, const char *all, const char *read)
{
    struct tokens tokens = {.has_all = all, .has_read = read};
    int rc = all ? http_digest(slice_of(all), tokens.all) : 0;
    if (rc == 0 && read)
        rc = http_digest(slice_of(read), tokens.read);
    if (rc != 0)
        return rc;
    mutex_lock(&a->mutex);
    a->tokens = tokens;
    mutex_unlock(&a->mutex);
    return 0;
}

static struct tokens tokens_now(struct auth *a)
{
    mutex_lock(&a->mutex);
    struct tokens tokens = a->tokens;
    mutex_unlock(&a->mutex);
    return tokens;
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

bool auth_required(struct auth *a)
{
    struct tokens t = tokens_now(a);
    return t.has_all || t.has_read;
}

enum rights auth_rights(struct auth *a, const char *authorization)
{
    unsigned char given[HTTP_DIGEST_BYTES], plain[CREDENTIALS_MAX];
    struct slice token;
    struct tokens t = tokens_now(a);
    if (!t.has_all && !t.has_read)
        return RIGHTS_ALL;
    if (!authorization || !find_token(authorization, plain, &token))
        return RIGHTS_NONE;
    if (http_digest(token, given) != 0)
        return RIGHTS_NONE;
    bool all = http_digest_eq(given, t.all) & t.has_all;
    bool read = http_digest_eq(given, t.read) & t.has_read;
    return all ? RIGHTS_ALL : read ? RIGHTS_READ : RIGHTS_NONE;
}
