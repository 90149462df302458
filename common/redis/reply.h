/*
 * Redis replies, read without hiredis' types leaving this room.
 *
 * A reply is a tree owned by the caller of redis_conn_read()/redis_call(); slices and children
 * borrow from it. Accessors are total: asked for what is not there, they answer "empty", so that
 * a reply of an odd shape cannot crash a caller; check reply_type() where it matters.
 *
 * Threads: a reply belongs to one thread at a time.
 */
#ifndef SLUICE_REDIS_REPLY_H
#define SLUICE_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct reply; /* opaque */

enum reply_type { REPLY_NIL, REPLY_INT, REPLY_STRING, REPLY_STATUS, REPLY_ARRAY, REPLY_ERROR };

enum reply_type reply_type(const struct reply *r); /* REPLY_NIL for NULL */
int64_t reply_int(const struct reply *r);          /* integers, and strings of digits; else 0 */
double reply_real(const struct reply *r);          /* numbers as text; else 0 */
/* String, status or error text, with a NUL behind it; else empty. */
struct slice reply_str(const struct reply *r);
size_t reply_count(const struct reply *r);                     /* children of an array; else 0 */
const struct reply *reply_at(const struct reply *r, size_t i); /* NULL beyond the end */

/* reply_int() for where 0 means something: false, and *ret untouched, when there is no integer. */
bool reply_whole(const struct reply *r, int64_t *ret);

/* For arrays of pairs (HGETALL): the value of a field, or NULL. */
const struct reply *reply_field(const struct reply *r, const char *field);

void reply_free(struct reply *r); /* accepts NULL */

/* The code of an error reply (base/err.h's vocabulary), 0 for any other reply. Errors of nested
 * calls carry their cause in the text, so well-known words are looked for anywhere in it, whole:
 * LOADING BUSY TRYAGAIN CLUSTERDOWN, "max number of clients reached" → -EAGAIN, READONLY MASTERDOWN
 * UNBLOCKED (no master, or not any more) → -EROFS, OOM MISCONF NOREPLICAS → -ENOSPC, NOAUTH
 * WRONGPASS NOPERM DENIED → -EACCES, WRONGTYPE → -EMEDIUMTYPE; others → -EPROTO. NOSCRIPT →
 * -ENOEXEC counts as the first word only, since it says that nothing has run. Fills err with
 * "Redis: <text>". */
int reply_error(const struct reply *r, struct err *err);

#endif
