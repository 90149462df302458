/*
 * The cap on what one string of a reply may weigh, enforced before its bytes are there.
 *
 * RESP announces the length of a bulk string ahead of it, and hiredis reads such a string whole
 * before it says a word: one element of half a gigabyte in a list would be as much memory here, and
 * again as much for the copy. So after each read that completes no reply, the header of the string
 * that is being read is looked at where hiredis left it, in its buffer, and a length above the cap
 * ends the connection. What is in memory by then is one read (hiredis' chunk of 16 KiB) beyond what
 * the reply held before; a string that fits into a read as a whole is not refused.
 *
 * A header that has arrived in part counts by the digits that are there: the number can only grow.
 * A line (a status, an error) has no length ahead and may not grow beyond the cap either.
 *
 * The cap is per string. How many of them a reply has is for the caller to bound, by what it asks
 * for.
 *
 * (Rejected: to ask for the length first. It costs a round trip for each job, and a blocking move
 * answers with the element.)
 *
 * Threads: none. Errors: -EMSGSIZE.
 */
#ifndef SLUICE_REDIS_BULK_CAP_H
#define SLUICE_REDIS_BULK_CAP_H

#include <stddef.h>

#include "base/err.h"

struct redisReader;

/* What `in` is in the middle of (it has just said that it has no whole reply) fits under max. */
int bulk_cap_check(const struct redisReader *in, size_t max, struct err *err) warn_unused_result;

#endif
