#include "store/stream.h"

#include <inttypes.h>

#include "keys.h"
#include "scripts.h"

int store_stream_append(const struct store *s, struct redis_conn *c, const struct stream_target *t,
                        const struct slice *events, size_t n, int64_t before, int64_t *ret_length,
                        struct err *err)
{
    struct script_call call = {0};
    struct command *cmd = &call.cmd;
    struct reply *reply = NULL;
    script_begin(&call, &script_stream, 2);
    store_add_key(cmd, s, KEY_STREAM_PREFIX, t->jid);
    command_printf(cmd, "%s%" PRIu64, s->key[KEY_OWN_CLAIM_PREFIX], t->seq);
    command_int(cmd, t->index);
    command_add(cmd, store_tombstone());
    command_int(cmd, t->ttl_s);
    command_int(cmd, t->max_events);
    command_int(cmd, before);
    for (size_t i = 0; i < n; i++)
        command_add(cmd, events[i]);
    int rc = script_run(c, &call, &reply, err);
    script_call_release(&call);
    if (rc != 0)
        return rc;
    int64_t length;
    if (!reply_whole(reply, &length) || length < -3)
        rc = err_set(err, -EPROTO, "stream: an unexpected reply");
    reply_free(reply);
    if (rc != 0)
        return rc;
    if (length == -1)
        return err_set(err, -ESTALE, "%s", err_phrase(-ESTALE));
    if (length == -2)
        return err_set(err, -EFBIG, "the stream is full (%" PRId64 " events)", t->max_events);
    if (length == -3)
        return err_set(err, -EMEDIUMTYPE, "the key of the stream holds another type");
    *ret_length = length;
    return 0;
}

int store_job_set(const struct store *s, struct redis_pool *pool, int64_t deadline_ns,
                  const char *jid, int64_t ttl_s, const struct settle_field *fields, int n,
                  struct err *err)
{
    struct command cmd[] = {{0}, {0}};
    command_text(&cmd[0], "HSET");
    store_add_key(&cmd[0], s, KEY_JOB_PREFIX, jid);
    for (int i = 0; i < n; i++) {
        command_text(&cmd[0], fields[i].name);
        command_add(&cmd[0], fields[i].value);
    }
    command_text(&cmd[1], "EXPIRE");
    store_add_key(&cmd[1], s, KEY_JOB_PREFIX, jid);
    command_int(&cmd[1], ttl_s);
    int rc = redis_pool_call(pool, deadline_ns, cmd, 2, NULL, err);
    command_release(&cmd[0]);
    command_release(&cmd[1]);
    return rc;
}
