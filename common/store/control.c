#include "store/control.h"

#include "keys.h"

int store_control_subscribe(const struct store *s, struct redis_conn *c, struct err *err)
{
    /* In one command: its second answer comes among the messages, which are told apart. */
    return redis_callf(c, NULL, err, "SUBSCRIBE %s %s", s->key[KEY_CONTROL],
                       s->key[KEY_OWN_CONTROL]);
}

int store_control_ping(struct redis_conn *c)
{
    struct command cmd = {0};
    command_text(&cmd, "PING");
    int rc = redis_conn_send(c, &cmd);
    command_release(&cmd);
    return rc == 0 ? redis_conn_flush(c, NULL) : rc;
}

bool store_control_message(const struct reply *reply, struct slice *ret)
{
    if (reply_count(reply) != 3 || !slice_is(reply_str(reply_at(reply, 0)), "message"))
        return false;
    *ret = reply_str(reply_at(reply, 2));
    return true;
}
