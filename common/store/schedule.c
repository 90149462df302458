#include "store/schedule.h"

#include "job/envelope.h"
#include "keys.h"
#include "scripts.h"

enum { DUE_PER_CALL = 100, DUE_BYTES = 4 << 20 };
enum { DUE_NOW, DUE_MORE, DUE_UNREAD, DUE_STUCK, DUE_FIRST }; /* parts of due's reply */

static const enum key set_keys[DUE_SETS] = {
    [DUE_SCHEDULE] = KEY_SCHEDULE,
    [DUE_RETRY] = KEY_RETRY,
};

static int any_set(const struct store *s, struct redis_conn *c, bool *ret, struct err *err)
{
    struct command cmd = {0};
    int64_t there = 0;
    command_text(&cmd, "EXISTS");
    for (int set = 0; set < DUE_SETS; set++)
        command_add(&cmd, store_key(s, set_keys[set]));
    int rc = store_ask_number(c, &cmd, &there, err);
    if (rc == 0)
        *ret = there > 0;
    command_release(&cmd);
    return rc;
}

int store_next_due(const struct store *s, struct redis_conn *c, double horizon_s,
                   double ret_in[DUE_SETS], struct err *err)
{
    struct script_call call = {0};
    struct reply *in = NULL;
    bool any = false;
    int rc = any_set(s, c, &any, err);
    for (int set = 0; rc == 0 && !any && set < DUE_SETS; set++)
        ret_in[set] = -1;
    if (rc != 0 || !any)
        return rc;
    script_begin(&call, &script_next, DUE_SETS);
    for (int set = 0; set < DUE_SETS; set++)
        command_add(&call.cmd, store_key(s, set_keys[set]));
    command_printf(&call.cmd, "%.6f", horizon_s);
    rc = script_run(c, &call, &in, err);
    for (int set = 0; rc == 0 && set < DUE_SETS; set++)
        ret_in[set] = reply_real(reply_at(in, (size_t)set));
    reply_free(in);
    script_call_release(&call);
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
        queue = envelope_next_queue(&e);
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

/* Reads what is due into p, whose reply begins with the parts above. */
static int read_due(const struct store *s, struct redis_conn *c, enum due_set set, uint64_t skip,
                    int64_t max_payload, struct promotion *p, struct err *err)
{
    struct script_call call = {0};
    script_begin(&call, &script_due, 2);
    command_add(&call.cmd, store_key(s, set_keys[set]));
    command_add(&call.cmd, store_key(s, KEY_DEAD));
    command_int(&call.cmd, DUE_PER_CALL);
    command_int(&call.cmd, (int64_t)skip);
    command_int(&call.cmd, DUE_BYTES);
    command_int(&call.cmd, max_payload);
    int rc = script_run(c, &call, &p->reply, err);
    script_call_release(&call);
    if (rc != 0)
        return rc;
    p->more = reply_int(reply_at(p->reply, DUE_MORE)) == 1;
    p->unread = reply_at(p->reply, DUE_UNREAD);
    p->stuck = (uint64_t)reply_int(reply_at(p->reply, DUE_STUCK));
    return 0;
}

/* Moves what was read. */
static int move_due(const struct store *s, struct redis_conn *c, enum due_set set,
                    struct promotion *p, struct err *err)
{
    struct script_call call = {0};
    struct reply *moved = NULL;
    struct buf text = {0};
    int rc = 0;
    double now = reply_real(reply_at(p->reply, DUE_NOW));
    script_begin(&call, &script_promote, 3);
    command_add(&call.cmd, store_key(s, set_keys[set]));
    command_add(&call.cmd, store_key(s, KEY_QUEUES));
    command_add(&call.cmd, store_key(s, KEY_DEAD));
    command_add(&call.cmd, store_key(s, KEY_QUEUE_PREFIX));
    for (size_t i = DUE_FIRST; rc == 0 && i < reply_count(p->reply); i++) {
        buf_clear(&text);
        rc = add_entry(&call.cmd, reply_str(reply_at(p->reply, i)), now, &text, &p->buried);
    }
    if (rc == 0)
        rc = script_run(c, &call, &moved, err);
    if (rc == 0) {
        p->moved = (uint64_t)reply_int(reply_at(moved, 0));
        p->moved -= p->buried < p->moved ? p->buried : p->moved;
        p->stuck += reply_count(reply_at(moved, 1));
    }
    reply_free(moved);
    buf_release(&text);
    script_call_release(&call);
    return rc;
}

int store_promote(const struct store *s, struct redis_conn *c, enum due_set set, uint64_t skip,
                  int64_t max_payload, struct promotion *ret, struct err *err)
{
    struct promotion p = {0};
    int rc = read_due(s, c, set, skip, max_payload, &p, err);
    if (rc == 0 && reply_count(p.reply) > DUE_FIRST)
        rc = move_due(s, c, set, &p, err);
    if (rc == 0)
        *ret = p;
    else
        reply_free(p.reply);
    return rc;
}
