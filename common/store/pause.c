#include "store/pause.h"

#include "keys.h"
#include "scripts.h"
#include "store/order.h"

int store_pause(const struct store *s, struct redis_conn *c, const char *queue, bool paused,
                bool *ret_changed, struct err *err)
{
    const struct order order = {
        .cmd = paused ? ORDER_PAUSE : ORDER_UNPAUSE, .subject = (char *)queue, .kept = true};
    struct script_call call = {0};
    struct reply *reply = NULL;
    struct buf message = {0};
    order_put_open(&order, &message);
    buf_putc(&message, '}');
    int rc = buf_error(&message);
    script_begin(&call, &script_pause, 1);
    command_add(&call.cmd, store_key(s, KEY_PAUSED));
    command_text(&call.cmd, queue);
    command_int(&call.cmd, paused);
    command_add(&call.cmd, store_key(s, KEY_CONTROL));
    command_add(&call.cmd, buf_slice(&message));
    rc = rc == 0 ? script_run(c, &call, &reply, err) : err_set(err, rc, "%s", err_phrase(rc));
    if (rc == 0)
        *ret_changed = reply_int(reply) == 1;
    reply_free(reply);
    script_call_release(&call);
    buf_release(&message);
    return rc;
}
