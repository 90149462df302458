#include "redis/script.h"

void script_begin(struct script_call *call, const struct script *script, int nkeys)
{
    call->script = script;
    command_clear(&call->cmd);
    command_text(&call->cmd, "EVALSHA");
    command_text(&call->cmd, script->sha1);
    command_int(&call->cmd, nkeys);
}

void script_call_release(struct script_call *call)
{
    command_release(&call->cmd);
}

/* The same call as EVAL with the source, which also loads it. An error reply is a reply. */
static int repeat_with_source(struct redis_conn *c, const struct script_call *call,
                              struct reply **ret, struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "EVAL");
    command_add(&cmd, (struct slice){call->script->source, call->script->source_len});
    for (int i = 2; i < call->cmd.n; i++) /* past EVALSHA and the digest */
        command_add(&cmd, command_arg(&call->cmd, i));
    int rc = redis_conn_send(c, &cmd);
    command_release(&cmd);
    return rc == 0 ? redis_conn_read(c, ret, err) : err_set(err, rc, "%s", err_phrase(rc));
}

int script_run(struct redis_conn *c, const struct script_call *call, struct reply **ret,
               struct err *err)
{
    int rc = redis_call(c, &call->cmd, ret, err);
    if (rc == -ENOEXEC) {
        struct reply *reply = NULL;
        rc = repeat_with_source(c, call, &reply, err);
        if (rc == 0)
            rc = reply_error(reply, err);
        if (rc == 0 && ret)
            *ret = reply;
        else
            reply_free(reply);
    }
    return rc == 0 ? 0 : err_prefix(err, rc, "script %s", call->script->name);
}

int script_run_all(struct redis_conn *c, const struct script_call *const *calls, int n,
                   struct reply **ret, struct err *err)
{
    for (int i = 0; i < n; i++)
        ret[i] = NULL;
    /* A send only fills the output buffer: when one fails, none has left, and the connection is
     * not reusable since what it holds will never be answered. */
    for (int i = 0; i < n; i++) {
        int rc = redis_conn_send(c, &calls[i]->cmd);
        if (rc != 0)
            return err_set(err, rc, "script %s: %s", calls[i]->script->name, err_phrase(rc));
    }
    for (int i = 0; i < n; i++) {
        int rc = redis_conn_read(c, &ret[i], err);
        if (rc != 0)
            return err_prefix(err, rc, "script %s", calls[i]->script->name);
    }
    for (int i = 0; i < n; i++)
        if (reply_error(ret[i], NULL) == -ENOEXEC) {
            reply_free(ret[i]);
            ret[i] = NULL;
            int rc = repeat_with_source(c, calls[i], &ret[i], err);
            if (rc != 0)
                return err_prefix(err, rc, "script %s", calls[i]->script->name);
        }
    return 0;
}
