#include "redis/bulk_cap.h"

#include <hiredis/hiredis.h>

/* The innermost item that has been begun and is not complete; NULL between replies. */
static const redisReadTask *item_of(const redisReader *in)
{
    if (in->ridx < 0)
        return NULL;
#if HIREDIS_MAJOR >= 1
    return in->task[in->ridx];
#else
    return &in->rstack[in->ridx];
#endif
}

/* The number that a header begins with, or any number above max once it is certain to exceed that;
 * 0 for "-1", which announces no string. */
static size_t announced(const char *header, size_t n, size_t max)
{
    size_t length = 0;
    for (size_t i = 0; i < n && header[i] >= '0' && header[i] <= '9' && length <= max; i++)
        length = 10 * length + (size_t)(header[i] - '0');
    return length;
}

int bulk_cap_check(const struct redisReader *in, size_t max, struct err *err)
{
    const redisReadTask *item = item_of(in);
    size_t there = in->len - in->pos; /* of this item: its type has been consumed, no more */
    size_t length =
        item && item->type == REDIS_REPLY_STRING ? announced(in->buf + in->pos, there, max) : there;
    if (length <= max)
        return 0;
    return err_set(err, -EMSGSIZE, "a reply with a string of more than %zu bytes was not read",
                   max);
}
