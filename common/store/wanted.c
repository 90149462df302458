#include "store/wanted.h"

#include <stdlib.h>

#include "questions.h"
#include "scripts.h"

static const char state_field[] = "state";

/* ---- Giving --------------------------------------------------------------------------------- */

static void add_fields(struct command *cmd, const struct order *o)
{
    struct buf value = {0};
    if (o->cmd <= ORDER_STOP) {
        command_text(cmd, state_field);
        command_text(cmd, order_cmd_name(o->cmd));
    }
    for (int i = 0; o->cmd == ORDER_SET && i < ORDER_SETTINGS; i++)
        if (o->value[i] != ORDER_UNSAID) {
            command_text(cmd, order_setting_name((enum order_setting)i));
            buf_clear(&value);
            order_value_put((enum order_setting)i, o->value[i], &value);
            command_copy(cmd, buf_slice(&value));
        }
    buf_release(&value);
}

static int read_given(struct reply *reply, struct given *ret, struct err *err)
{
    int64_t number = 0, heard = 0;
    if (!reply_whole(reply_at(reply, 0), &number) || number < 0)
        return err_set(err, -EPROTO, "order: an unexpected reply of %zu parts", reply_count(reply));
    if (number == 0)
        return err_set(err, -ENOENT, "there is no such worker, or it holds no lease");
    if (!reply_whole(reply_at(reply, 1), &heard))
        return err_set(err, -EPROTO, "order: an unexpected reply of %zu parts", reply_count(reply));
    *ret = (struct given){
        .reply = reply, .number = (uint64_t)number, .heard = heard, .n = reply_count(reply) - 2};
    return 0;
}

int store_order_give(const struct store *s, struct redis_conn *c, const char *identity,
                     const struct order *o, struct given *ret, struct err *err)
{
    struct script_call call = {0};
    struct command *cmd = &call.cmd;
    struct buf message = {0};
    struct reply *reply = NULL;
    order_put_open(o, &message);
    int rc = buf_error(&message);
    script_begin(&call, &script_order, 2);
    command_add(cmd, store_key(s, KEY_WORKERS));
    command_add(cmd, store_key(s, KEY_WANTED));
    command_text(cmd, identity ? identity : "");
    command_add(cmd, store_key(s, KEY_LEASE_PREFIX));
    command_add(cmd, store_key(s, KEY_WANTED_PREFIX));
    command_int(cmd, STORE_WANTED_SECONDS);
    command_printf(cmd, "%s%s%s", s->key[KEY_CONTROL], identity ? ":" : "",
                   identity ? identity : "");
    command_add(cmd, buf_slice(&message));
    command_int(cmd, o->cmd != ORDER_SET);
    add_fields(cmd, o);
    rc = rc == 0 ? script_run(c, &call, &reply, err) : err_set(err, rc, "no memory for an order");
    if (rc == 0)
        rc = read_given(reply, ret, err);
    if (rc != 0)
        reply_free(reply);
    script_call_release(&call);
    buf_release(&message);
    return rc;
}

struct slice given_identity(const struct given *g, size_t i)
{
    return reply_str(reply_at(g->reply, i + 2));
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* "NUMBER VALUE". */
static int split(struct slice text, uint64_t *ret_number, struct buf *ret_value)
{
    size_t digits = 0;
    uint64_t number = 0;
    while (digits < text.n && digits < 19 && text.p[digits] >= '0' && text.p[digits] <= '9')
        number = 10 * number + (uint64_t)(text.p[digits++] - '0');
    if (digits == 0 || digits >= text.n || text.p[digits] != ' ')
        return -EINVAL;
    buf_clear(ret_value);
    buf_append(ret_value, text.p + digits + 1, text.n - digits - 1);
    *ret_number = number;
    return buf_error(ret_value);
}

static int take_state(struct wanted *w, uint64_t number, const char *text)
{
    for (int cmd = ORDER_QUIET; cmd <= ORDER_STOP; cmd++)
        if (strcmp(text, order_cmd_name((enum order_cmd)cmd)) == 0) {
            if (number > w->state_number) {
                w->state_number = number;
                w->state = (enum order_cmd)cmd;
            }
            return 0;
        }
    return -EINVAL;
}

static int take_setting(struct wanted *w, struct slice name, uint64_t number, const char *text)
{
    enum order_setting setting = ORDER_THREADS;
    int value = 0;
    int rc = order_setting_find(name, &setting);
    if (rc == 0)
        rc = order_value_parse(setting, text, &value, NULL);
    if (rc == 0 && number > w->number[setting]) {
        w->number[setting] = number;
        w->value[setting] = value;
    }
    return rc;
}

/* What is of another version, or was put there by hand, is left out. */
static int take_all(struct wanted *w, const struct reply *hash)
{
    struct buf value = {0};
    int rc = 0;
    for (size_t i = 0; rc != -ENOMEM && i + 1 < reply_count(hash); i += 2) {
        struct slice name = reply_str(reply_at(hash, i));
        uint64_t number = 0;
        if (slice_is(name, "last"))
            continue;
        rc = split(reply_str(reply_at(hash, i + 1)), &number, &value);
        if (rc == 0)
            rc = slice_is(name, state_field) ? take_state(w, number, buf_str(&value))
                                             : take_setting(w, name, number, buf_str(&value));
        if (rc != 0)
            w->odd = true;
    }
    buf_release(&value);
    return rc == -ENOMEM ? rc : 0;
}

int store_wanted_read(const struct store *s, struct redis_conn *c, struct wanted *ret,
                      struct err *err)
{
    struct questions q = {.c = c};
    struct wanted w = {0};
    question_ask_key(&q, "HGETALL", store_key(s, KEY_WANTED));
    question_ask_key(&q, "HGETALL", store_key(s, KEY_OWN_WANTED));
    int rc = questions_read(&q, err);
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = reply_error(question_answer(&q, i), err);
        if (rc == 0)
            rc = take_all(&w, question_answer(&q, i));
    }
    questions_release(&q);
    if (rc == 0)
        *ret = w;
    return rc == -ENOMEM ? err_set(err, rc, "no memory for what is wanted") : rc;
}
