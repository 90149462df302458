/*
 * Jobs that a script has moved to `dead` unread, since they are larger than max_payload: what it
 * says of them. Every script that would return payloads takes the cap along and reports so.
 *
 * Borrowed from the reply that the list lies in. A list of NULL is empty.
 */
#ifndef SLUICE_STORE_UNREAD_H
#define SLUICE_STORE_UNREAD_H

#include <stdint.h>

#include "base/slice.h"
#include "redis/reply.h"

struct unread {
    struct slice queue; /* empty: it is named in the job alone */
    int64_t bytes;
};

size_t unread_count(const struct reply *list);
struct unread unread_at(const struct reply *list, size_t i);

#endif
