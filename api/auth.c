#include "api/auth.h"

#include <strings.h>

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

bool auth_required(struct auth *a)
{
    struct tokens t = tokens_now(a);
    return t.has_all || t.has_read;
}

enum rights auth_rights(struct auth *a, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    unsigned char given[HTTP_DIGEST_BYTES];
    struct tokens t = tokens_now(a);
    if (!t.has_all && !t.has_read)
        return RIGHTS_ALL;
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return RIGHTS_NONE;
    if (http_digest(slice_of(authorization + sizeof scheme - 1), given) != 0)
        return RIGHTS_NONE;
    bool all = http_digest_eq(given, t.all) & t.has_all;
    bool read = http_digest_eq(given, t.read) & t.has_read;
    return all ? RIGHTS_ALL : read ? RIGHTS_READ : RIGHTS_NONE;
}
