#include "store/unread.h"

enum { UNREAD_QUEUE, UNREAD_BYTES, UNREAD_PARTS };

size_t unread_count(const struct reply *list)
{
    return reply_count(list) / UNREAD_PARTS;
}

struct unread unread_at(const struct reply *list, size_t i)
{
    return (struct unread){
        .queue = reply_str(reply_at(list, i * UNREAD_PARTS + UNREAD_QUEUE)),
        .bytes = reply_int(reply_at(list, i * UNREAD_PARTS + UNREAD_BYTES)),
    };
}
