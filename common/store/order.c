#include "store/order.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "conf/table.h"

static const char *const cmds[ORDER_CMDS] = {
    [ORDER_QUIET] = "quiet",     [ORDER_RESUME] = "resume", [ORDER_STOP] = "stop",
    [ORDER_SET] = "set",         [ORDER_CANCEL] = "cancel", [ORDER_PAUSE] = "pause",
    [ORDER_UNPAUSE] = "unpause", [ORDER_PING] = "ping",
};

static const struct {
    const char *name, *section, *key; /* the setting it stands for */
} known[ORDER_SETTINGS] = {
    [ORDER_THREADS] = {"threads", "worker", "threads"},
    [ORDER_MAX_OPS] = {"max_concurrent_ops", "redis", "max_concurrent_ops"},
    [ORDER_LOG_LEVEL] = {"log_level", "log", "level"},
};

const char *order_cmd_name(enum order_cmd cmd)
{
    return cmds[cmd];
}

const char *order_setting_name(enum order_setting setting)
{
    return known[setting].name;
}

int order_setting_find(struct slice name, enum order_setting *ret)
{
    for (int i = 0; i < ORDER_SETTINGS; i++)
        if (slice_is(name, known[i].name)) {
            *ret = (enum order_setting)i;
            return 0;
        }
    return -ENOENT;
}

/* ---- Values --------------------------------------------------------------------------------- */

/* The field of the setting, as one of a single int: all of them are ints or choices. */
static struct field field_of(enum order_setting setting)
{
    struct field f = setting_find(known[setting].section, known[setting].key)->field;
    f.name = known[setting].name;
    f.offset = 0;
    return f;
}

int order_value_parse(enum order_setting setting, const char *text, int *ret, struct err *err)
{
    const struct field f = field_of(setting);
    int value = 0;
    if (strcmp(text, "default") == 0) {
        *ret = ORDER_DEFAULT;
        return 0;
    }
    int rc = value_parse(&f, &value, text, err);
    if (rc == 0)
        *ret = value;
    return rc;
}

void order_value_put(enum order_setting setting, int value, struct buf *out)
{
    const struct field f = field_of(setting);
    if (value == ORDER_DEFAULT)
        buf_puts(out, "default");
    else if (f.choices)
        buf_puts(out, f.choices[value]);
    else
        buf_printf(out, "%d", value);
}

/* ---- Reading -------------------------------------------------------------------------------- */

struct parts {
    struct order *o;
    struct slice cmd, subject[2], number; /* as they stand; empty: not there */
    struct slice value[ORDER_SETTINGS];
    struct slice stranger; /* the first member that nobody knows */
    bool bad_reply, bad_id;
};

static void take_reply(struct parts *p, const struct json_member *m)
{
    struct order *o = p->o;
    size_t n = m->value.n >= 2 ? m->value.n - 2 : 0;
    p->bad_reply = m->type != JSON_STRING || n == 0 || n > ORDER_REPLY_MAX;
    for (size_t i = 1; !p->bad_reply && i <= n; i++) {
        unsigned char c = (unsigned char)m->value.p[i];
        p->bad_reply = !isalnum(c) && c != '-' && c != '_';
    }
    if (p->bad_reply)
        return;
    memcpy(o->reply, m->value.p + 1, n);
    o->reply[n] = '\0';
}

static void take_id(struct parts *p, const struct json_member *m)
{
    p->bad_id = (m->type != JSON_STRING && m->type != JSON_NUMBER) || m->value.n > ORDER_ID_MAX;
    if (p->bad_id)
        return;
    memcpy(p->o->id, m->value.p, m->value.n);
    p->o->id[m->value.n] = '\0';
}

static int take_member(void *ctx, const struct json_member *m)
{
    struct parts *p = ctx;
    if (json_key_is(m->key, "cmd"))
        p->cmd = m->value;
    else if (json_key_is(m->key, "jid"))
        p->subject[0] = m->value;
    else if (json_key_is(m->key, "queue"))
        p->subject[1] = m->value;
    else if (json_key_is(m->key, "n"))
        p->number = m->value;
    else if (json_key_is(m->key, "kept"))
        p->o->kept = m->type == JSON_TRUE;
    else if (json_key_is(m->key, "reply"))
        take_reply(p, m);
    else if (json_key_is(m->key, "id"))
        take_id(p, m);
    else {
        for (int i = 0; i < ORDER_SETTINGS; i++)
            if (json_key_is(m->key, known[i].name)) {
                p->value[i] = m->value;
                return 0;
            }
        if (p->stranger.n == 0)
            p->stranger = m->key;
    }
    return 0;
}

static int find_cmd(const struct parts *p, enum order_cmd *ret, struct err *err)
{
    struct buf text = {0};
    int rc = -EBADMSG;
    if (p->cmd.n == 0)
        return err_set(err, rc, "the order has no \"cmd\"");
    if (json_type_of(p->cmd) == JSON_STRING && json_decode_string(p->cmd, &text) == 0)
        for (int i = 0; rc != 0 && i < ORDER_CMDS; i++)
            if (strcmp(buf_str(&text), cmds[i]) == 0) {
                *ret = (enum order_cmd)i;
                rc = 0;
            }
    buf_release(&text);
    return rc == 0
               ? 0
               : err_set(err, rc,
                         "unknown order %.*s; allowed: quiet, resume, stop, set, cancel, pause, "
                         "unpause, ping",
                         p->cmd.n > 60 ? 60 : (int)p->cmd.n, p->cmd.p);
}

/* Of cancel the jid, of pause and unpause the queue. */
static int take_subject(const struct parts *p, struct err *err)
{
    static const char *const names[] = {"jid", "queue"};
    const int which = p->o->cmd == ORDER_CANCEL ? 0 : 1;
    struct buf text = {0};
    int rc = -EBADMSG;
    if (p->subject[which].n > 2 && json_type_of(p->subject[which]) == JSON_STRING)
        rc = json_decode_string(p->subject[which], &text);
    if (rc == 0 && !(p->o->subject = buf_steal(&text, NULL)))
        rc = -ENOMEM;
    buf_release(&text);
    if (rc == 0 || rc == -ENOMEM)
        return rc;
    return err_set(err, -EBADMSG, "%s needs a \"%s\", which is a string that is not empty",
                   cmds[p->o->cmd], names[which]);
}

static int take_value(const struct parts *p, enum order_setting i, struct err *err)
{
    struct slice value = p->value[i];
    struct buf text = {0};
    int rc = 0;
    if (json_type_of(value) == JSON_STRING)
        rc = json_decode_string(value, &text);
    else
        buf_put(&text, value);
    if (rc == 0)
        rc = buf_error(&text);
    if (rc == 0)
        rc = order_value_parse(i, buf_str(&text), &p->o->value[i], err);
    else if (rc == -EINVAL) /* \u0000 */
        rc = err_set(err, rc, "%s is no text", known[i].name);
    buf_release(&text);
    return rc == -EINVAL ? -EBADMSG : rc;
}

static int take_values(const struct parts *p, struct err *err)
{
    static const char allowed[] = "allowed: threads, max_concurrent_ops, log_level";
    bool any = false;
    int rc = 0;
    if (p->stranger.n > 0)
        return err_set(err, -EBADMSG, "set: unknown setting %.*s; %s",
                       p->stranger.n > 60 ? 60 : (int)p->stranger.n, p->stranger.p, allowed);
    for (int i = 0; rc == 0 && i < ORDER_SETTINGS; i++)
        if (p->value[i].n > 0) {
            any = true;
            rc = take_value(p, (enum order_setting)i, err);
        }
    return rc != 0 || any ? rc : err_set(err, -EBADMSG, "set: nothing is set; %s", allowed);
}

static int take_number(const struct parts *p, struct err *err)
{
    int64_t n = 0;
    if (p->number.n == 0)
        return 0;
    if (json_type_of(p->number) != JSON_NUMBER || json_decode_int(p->number, &n) != 0 || n <= 0)
        return err_set(err, -EBADMSG, "\"n\" is no number of an order");
    p->o->number = (uint64_t)n;
    return 0;
}

int order_parse(struct slice text, struct order *ret, struct err *err)
{
    struct parts p = {.o = ret};
    enum json_type type;
    *ret = (struct order){0};
    for (int i = 0; i < ORDER_SETTINGS; i++)
        ret->value[i] = ORDER_UNSAID;
    if (text.n > ORDER_TEXT_MAX)
        return err_set(err, -EBADMSG, "an order of %zu bytes; at most %d are read", text.n,
                       ORDER_TEXT_MAX);
    int rc = json_scan(text, &type, take_member, &p, err);
    if (rc == 0 && type != JSON_OBJECT)
        rc = err_set(err, -EBADMSG, "an order is a JSON object");
    if (rc != 0) { /* of text that is broken no part counts */
        ret->reply[0] = ret->id[0] = '\0';
        return rc;
    }
    if (p.bad_reply)
        rc = err_set(err, -EBADMSG, "\"reply\" must be 1 to %d letters, digits, - and _",
                     ORDER_REPLY_MAX);
    else if (p.bad_id)
        rc = err_set(err, -EBADMSG, "\"id\" must be a string or a number of at most %d bytes",
                     ORDER_ID_MAX);
    if (rc == 0)
        rc = find_cmd(&p, &ret->cmd, err);
    if (rc == 0)
        rc = take_number(&p, err);
    if (rc == 0 && ret->cmd == ORDER_SET)
        rc = take_values(&p, err);
    if (rc == 0 && ret->cmd >= ORDER_CANCEL && ret->cmd <= ORDER_UNPAUSE)
        rc = take_subject(&p, err);
    return rc == -ENOMEM ? err_set(err, rc, "no memory for an order") : rc;
}

void order_release(struct order *o)
{
    free(o->subject);
    o->subject = NULL;
}

/* ---- Writing -------------------------------------------------------------------------------- */

void order_put_open(const struct order *o, struct buf *out)
{
    buf_printf(out, "{\"cmd\":\"%s\"", cmds[o->cmd]);
    if (o->subject) {
        buf_printf(out, ",\"%s\":", o->cmd == ORDER_CANCEL ? "jid" : "queue");
        json_put_string(out, slice_of(o->subject), SIZE_MAX);
    }
    for (int i = 0; i < ORDER_SETTINGS && o->cmd == ORDER_SET; i++)
        if (o->value[i] != ORDER_UNSAID) {
            bool bare = i != ORDER_LOG_LEVEL && o->value[i] >= 0;
            buf_printf(out, ",\"%s\":%s", known[i].name, bare ? "" : "\"");
            order_value_put((enum order_setting)i, o->value[i], out);
            buf_puts(out, bare ? "" : "\"");
        }
    if (o->kept)
        buf_puts(out, ",\"kept\":true");
    if (*o->reply)
        buf_printf(out, ",\"reply\":\"%s\"", o->reply);
    if (*o->id)
        buf_printf(out, ",\"id\":%s", o->id);
}
