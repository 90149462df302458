#include "store/pause.h"

#include "keys.h"

int store_pause(const struct store *s, struct redis_conn *c, const char *queue, bool paused,
                bool *ret_changed, struct err *err)
{
    struct reply *reply = NULL;
    struct slice key = store_key(s, KEY_PAUSED);
    int rc = redis_callf(c, &reply, err, paused ? "SADD %b %s" : "SREM %b %s", key.p, key.n, queue);
    if (rc == 0)
        *ret_changed = reply_int(reply) == 1;
    reply_free(reply);
    return rc;
}
