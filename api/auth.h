/*
 * Who may do what: bearer tokens (RFC 6750), one for everything and one for reading. A browser that
 * asks its person sends it as a password (RFC 7617); the user's name may be any.
 *
 * Without any token everybody may do everything, which is why only this machine is listened to
 * then. A token that is not set matches nothing: with the reading one alone, nobody may write.
 * Tokens are kept and compared as digests, in a time that does not depend on them.
 *
 * Threads: immutable once initialised.
 */
#ifndef SLUICE_API_AUTH_H
#define SLUICE_API_AUTH_H

#include <stdbool.h>

#include "http/digest.h"

enum rights { RIGHTS_NONE, RIGHTS_READ, RIGHTS_ALL };

struct auth {
    bool has_all, has_read;
    unsigned char all[HTTP_DIGEST_BYTES], read[HTTP_DIGEST_BYTES];
};

/* The tokens may be NULL. */
int auth_init(struct auth *a, const char *all, const char *read) warn_unused_result;

bool auth_required(const struct auth *a);

/* Of a request with this Authorization header, NULL without. */
enum rights auth_rights(const struct auth *a, const char *authorization);

#endif
