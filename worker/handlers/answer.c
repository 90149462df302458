#include "handlers/answer.h"

#include "base/json.h"

enum { SHOWN_MAX = 200 }; /* bytes of a line that is rubbish in the error message */

struct said {
    struct json_member event, done, error; /* value.p is NULL without */
};

static int on_member(void *ctx, const struct json_member *member)
{
    struct said *s = ctx;
    if (json_key_is(member->key, "event"))
        s->event = *member;
    else if (json_key_is(member->key, "done"))
        s->done = *member;
    else if (json_key_is(member->key, "error"))
        s->error = *member;
    return 0;
}

static enum watch_said rubbish(struct slice line, struct outcome *out)
{
    struct buf shown = {0};
    json_put_string(&shown, line, SHOWN_MAX);
    outcome_fail(out, OUTCOME_FAILED, "ProtocolError",
                 "a line on stdout is none of {\"event\":…}, {\"done\":…} and {\"error\":…}: %s%s",
                 buf_str(&shown), line.n > SHOWN_MAX ? "…" : "");
    buf_release(&shown);
    return SAID_RUBBISH;
}

/* ---- {"error":{…}} ---- */

struct complaint {
    struct buf klass, message;
    bool dead;
};

/* What cannot be a C string (it holds \u0000) is shown as it was written. */
static bool take_string(const struct json_member *member, struct buf *ret)
{
    if (member->type != JSON_STRING)
        return false;
    if (json_decode_string(member->value, ret) < 0) {
        buf_clear(ret);
        buf_put(ret, member->value);
    }
    return true;
}

static int on_detail(void *ctx, const struct json_member *member)
{
    struct complaint *c = ctx;
    bool good = true;
    if (json_key_is(member->key, "class"))
        good = take_string(member, &c->klass);
    else if (json_key_is(member->key, "message"))
        good = take_string(member, &c->message);
    else if (json_key_is(member->key, "dead")) {
        good = member->type == JSON_TRUE || member->type == JSON_FALSE;
        c->dead = member->type == JSON_TRUE;
    }
    return good ? 0 : -EBADMSG;
}

static enum watch_said take_error(const struct json_member *error, struct slice line,
                                  struct outcome *out)
{
    struct complaint c = {.dead = false};
    enum json_type type;
    bool good = take_string(error, &c.message);
    if (!good)
        good =
            error->type == JSON_OBJECT && json_scan(error->value, &type, on_detail, &c, NULL) == 0;
    enum watch_said said = SAID_ANSWER;
    if (good)
        outcome_fail(out, c.dead ? OUTCOME_DEAD : OUTCOME_FAILED,
                     c.klass.n > 0 ? buf_str(&c.klass) : "HandlerError", "%s",
                     c.message.n > 0 ? buf_str(&c.message) : "the handler gave no reason");
    else
        said = rubbish(line, out);
    buf_release(&c.klass);
    buf_release(&c.message);
    return said;
}

enum watch_said answer_read(struct slice line, struct outcome *out, struct slice *ret_event)
{
    struct said said = {.event = {.value = {NULL, 0}}};
    enum json_type type;
    if (json_scan(line, &type, on_member, &said, NULL) < 0 || type != JSON_OBJECT)
        return rubbish(line, out);
    const struct json_member *event = said.event.value.p ? &said.event : NULL;
    const struct json_member *done = said.done.value.p ? &said.done : NULL;
    const struct json_member *error = said.error.value.p ? &said.error : NULL;
    if (!!event + !!done + !!error != 1)
        return rubbish(line, out);
    if (event) {
        *ret_event = event->value;
        return SAID_EVENT;
    }
    if (error)
        return take_error(error, line, out);
    out->kind = OUTCOME_DONE;
    buf_put(&out->result, done->value);
    return SAID_ANSWER;
}
