/*
 * Who may do what: bearer tokens (RFC 6750), one for everything and one for reading. A browser that
 * asks its person sends it as a password (RFC 7617); the user's name may be any.
 *
 * Without any token everybody may do everything, which is why only this machine is listened to
 * then. A token that is not set matches nothing: with the reading one alone, nobody may write.
 * Tokens are kept and compared as digests, in a time that does not depend on them.
 *
 * Threads: any; tokens may change while requests are judged.
 */
#ifndef SLUICE_API_AUTH_H
#define SLUICE_API_AUTH_H

#include <stdbool.h>

#include "base/thread.h"
#include "http/digest.h"

enum rights { RIGHTS_NONE, RIGHTS_READ, RIGHTS_ALL };

struct tokens {
    bool has_all, has_read;
    unsigned char all[HTTP_DIGEST_BYTES], read[HTTP_DIGEST_BYTES];
};

struct auth {
    struct mutex mutex; /* guards: below */
    struct tokens tokens;
};

void auth_init(struct auth *a);
void auth_release(struct auth *a);

/* The tokens may be NULL. On failure the old ones stay. */
int auth_set(struct auth *a, const char *all, const char *read) warn_unused_result;

bool auth_required(struct auth *a);

/* Of a request with this Authorization header, NULL without. */
enum rights auth_rights(struct auth *a, const char *authorization);

#endif
