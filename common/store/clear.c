#include "store/clear.h"

#include "keys.h"
#include "scripts.h"

int store_queue_size(const struct store *s, struct redis_conn *c, const char *queue, int64_t *ret,
                     struct err *err)
{
    struct reply *reply = NULL;
    int rc = redis_callf(c, &reply, err, "LLEN %s%s", s->key[KEY_QUEUE_PREFIX], queue);
    if (rc == 0)
        *ret = reply_int(reply);
    reply_free(reply);
    return rc;
}

int store_queue_clear(const struct store *s, struct redis_conn *c, const char *queue, int64_t *ret,
                      struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_clear, 1);
    store_add_key(&call.cmd, s, KEY_QUEUE_PREFIX, queue);
    int rc = script_run(c, &call, &reply, err);
    if (rc == 0)
        *ret = reply_int(reply);
    reply_free(reply);
    script_call_release(&call);
    return rc;
}
