#include "api/auth.h"

#include <strings.h>

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

enum rights auth_rights(const struct auth *a, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    unsigned char given[HTTP_DIGEST_BYTES];
    if (!auth_required(a))
        return RIGHTS_ALL;
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return RIGHTS_NONE;
    if (http_digest(slice_of(authorization + sizeof scheme - 1), given) != 0)
        return RIGHTS_NONE;
    bool all = http_digest_eq(given, a->all) & a->has_all;
    bool read = http_digest_eq(given, a->read) & a->has_read;
    return all ? RIGHTS_ALL : read ? RIGHTS_READ : RIGHTS_NONE;
}
