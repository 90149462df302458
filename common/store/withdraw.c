#include "withdraw.h"

#include "keys.h"
#include "scripts.h"
#include "store/stream.h"

void withdraw_begin(struct script_call *call, const struct store *s, const struct withdrawal *w)
{
    struct command *cmd = &call->cmd;
    script_begin(call, &script_withdraw, 3);
    command_add(cmd, w->key);
    store_add_key(cmd, s, KEY_JOB_PREFIX, w->jid);
    store_add_key(cmd, s, KEY_STREAM_PREFIX, w->jid);
    command_add(cmd, w->payload);
    command_int(cmd, w->tracked);
    command_int(cmd, w->ttl_s);
    command_text(cmd, STREAM_STATUS_EVENT("stopped"));
    command_text(cmd, "state");
    command_text(cmd, "stopped");
    command_text(cmd, "finished_at");
    command_printf(cmd, "%.6f", w->now);
    command_text(cmd, "error_class");
    command_text(cmd, w->error_class);
    command_text(cmd, "error");
    command_text(cmd, w->error);
}

int withdraw(const struct store *s, struct redis_conn *c, const struct withdrawal *w,
             bool *ret_withdrawn, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    withdraw_begin(&call, s, w);
    int rc = script_run(c, &call, &reply, err);
    if (rc == 0)
        *ret_withdrawn = reply_int(reply) == 1;
    reply_free(reply);
    script_call_release(&call);
    return rc;
}
