#include "store/schedule.h"

#include <stdlib.h>

#include "job/envelope.h"
#include "keys.h"
#include "scripts.h"

enum { DUE_PER_CALL = 100, DUE_NOW = 0, DUE_NEXT = 1, DUE_FIRST = 2 };

static const enum key set_keys[DUE_SETS] = {
    [DUE_SCHEDULE] = KEY_SCHEDULE,
    [DUE_RETRY] = KEY_RETRY,
};

int store_next_due(const struct store *s, struct redis_conn *c, double now, double ret_in[DUE_SETS],
                   struct err *err)
{
    struct command cmd = {0};
    int rc = 0;
    for (int set = 0; rc == 0 && set < DUE_SETS; set++) {
        command_clear(&cmd);
        command_text(&cmd, "ZRANGE");
        command_add(&cmd, store_key(s, set_keys[set]));
        command_text(&cmd, "0");
        command_text(&cmd, "0");
        command_text(&cmd, "WITHSCORES");
        rc = redis_conn_send(c, &cmd);
    }
    command_release(&cmd);
    for (int set = 0; rc == 0 && set < DUE_SETS; set++) {
        struct reply *reply = NULL;
        rc = redis_conn_read(c, &reply, err);
        /* A set of the wrong type is as good as empty here; store_promote() reports it. */
        if (rc == 0)
            ret_in[set] = reply_count(reply) == 2 ? reply_real(reply_at(reply, 1)) - now : -1;
        if (rc == 0 && ret_in[set] < 0 && reply_count(reply) == 2)
            ret_in[set] = 0;
        if (rc == 0 && reply_error(reply, NULL) == -EMEDIUMTYPE)
            ret_in[set] = 0;
        reply_free(reply);
    }
    return rc;
}

/* Adds old payload, new payload and queue of one due entry; the new text lies in *text. */
static int add_entry(struct command *cmd, struct slice old, double now, struct buf *text,
                     uint64_t *buried)
{
    struct envelope e;
    const char *queue = "";
    int rc = envelope_parse(old, &e, NULL);
    if (rc == -EBADMSG) {
        (*buried)++;
    } else if (rc != 0) {
        return rc;
    } else {
        queue = e.retry_queue && e.retry_count >= 0 ? e.retry_queue : e.queue ? e.queue : "default";
        rc = envelope_put_enqueued(&e, queue, now, text);
        if (rc != 0) {
            envelope_release(&e);
            return rc;
        }
    }
    command_add(cmd, old);
    command_copy(cmd, buf_slice(text));
    command_copy(cmd, slice_of(queue));
    if (rc == 0)
        envelope_release(&e);
    return 0;
}

int store_promote(const struct store *s, struct redis_conn *c, enum due_set set, uint64_t skip,
                  struct promotion *ret, struct err *err)
{
    struct script_call call = {0};
    struct reply *due = NULL, *moved = NULL;
    struct buf text = {0};
    struct promotion p = {.next_due_in = -1};

    script_begin(&call, &script_due, 1);
    command_add(&call.cmd, store_key(s, set_keys[set]));
    command_int(&call.cmd, DUE_PER_CALL);
    command_int(&call.cmd, (int64_t)skip);
    int rc = script_run(c, &call, &due, err);
    if (rc != 0)
        goto out;
    size_t n = reply_count(due) > DUE_FIRST ? reply_count(due) - DUE_FIRST : 0;
    double now = reply_real(reply_at(due, DUE_NOW));
    if (reply_str(reply_at(due, DUE_NEXT)).n > 0)
        p.next_due_in = reply_real(reply_at(due, DUE_NEXT)) - now;
    if (n == 0)
        goto out;

    script_begin(&call, &script_promote, 3);
    command_add(&call.cmd, store_key(s, set_keys[set]));
    command_add(&call.cmd, store_key(s, KEY_QUEUES));
    command_add(&call.cmd, store_key(s, KEY_DEAD));
    command_add(&call.cmd, store_key(s, KEY_QUEUE_PREFIX));
    for (size_t i = 0; rc == 0 && i < n; i++) {
        buf_clear(&text);
        rc = add_entry(&call.cmd, reply_str(reply_at(due, DUE_FIRST + i)), now, &text, &p.buried);
    }
    if (rc == 0)
        rc = script_run(c, &call, &moved, err);
    if (rc == 0) {
        p.moved = (uint64_t)reply_int(reply_at(moved, 0));
        p.moved -= p.buried < p.moved ? p.buried : p.moved;
        p.stuck = reply_count(reply_at(moved, 1));
        p.more = n == DUE_PER_CALL;
    }
out:
    if (rc == 0)
        *ret = p;
    reply_free(due);
    reply_free(moved);
    buf_release(&text);
    script_call_release(&call);
    return rc;
}
