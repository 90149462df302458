#include "worker/obey.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "store/answer.h"
#include "store/cancel.h"
#include "store/pause.h"

/* ---- What is to be written ------------------------------------------------------------------ */

static bool is_fact(const struct order *o)
{
    return o->cmd >= ORDER_CANCEL && o->cmd <= ORDER_UNPAUSE;
}

/* Notes an order, which is taken over, with what became of it, if anything is to be written. */
static void note(struct control *c, struct order *o, int rc, const struct err *err)
{
    bool keep = rc == 0 && is_fact(o) && !o->kept;
    struct errand *e = *o->reply || keep ? calloc(1, sizeof *e) : NULL;
    if (!e) { /* no memory: as if Redis were away */
        order_release(o);
        return;
    }
    *e = (struct errand){.order = *o, .rc = rc};
    o->subject = NULL;
    if (err)
        e->err = *err;
    errands_push(&c->todo, e);
}

/* ---- Hearing -------------------------------------------------------------------------------- */

void obey_message(struct control *c, struct slice text)
{
    struct order o;
    struct err err = {""};
    int rc = order_parse(text, &o, &err);
    if (rc != 0) {
        log_warn("an order was refused", log_str("error", err.text));
        note(c, &o, rc, &err);
        return;
    }
    if (o.cmd <= ORDER_SET) {
        rc = inbox_ask(c->inbox, &o);
        if (rc == 0)
            return;
    } else if (o.cmd == ORDER_CANCEL) {
        rc = cancelled_add(c->cancelled, o.subject);
        c->cancels = true;
    } else if (o.cmd == ORDER_UNPAUSE && o.kept) {
        c->unpaused(c->unpaused_ctx);
    }
    if (rc != 0)
        log_warn("an order was not obeyed", log_str("cmd", order_cmd_name(o.cmd)),
                 log_str("error", err_phrase(rc)));
    note(c, &o, rc, NULL);
}

static void ask(struct control *c, struct order *o)
{
    int rc = inbox_ask(c->inbox, o);
    if (rc != 0)
        log_warn("an order was not obeyed", log_str("cmd", order_cmd_name(o->cmd)),
                 log_str("error", err_phrase(rc)));
}

void obey_wanted(struct control *c, const struct wanted *w)
{
    if (w->odd)
        log_warn("what is written in `sluice:wanted` or of this worker is in part none that it "
                 "knows");
    if (w->state_number > 0)
        ask(c, &(struct order){.cmd = w->state, .number = w->state_number});
    for (int i = 0; i < ORDER_SETTINGS; i++)
        if (w->number[i] > 0) {
            struct order o = {.cmd = ORDER_SET, .number = w->number[i]};
            for (int j = 0; j < ORDER_SETTINGS; j++)
                o.value[j] = j == i ? w->value[i] : ORDER_UNSAID;
            ask(c, &o);
        }
}

void obey_collect(struct control *c)
{
    struct errand *next;
    for (struct errand *e = inbox_collect(c->inbox); e; e = next) {
        next = e->next;
        if (*e->order.reply)
            errands_push(&c->todo, e);
        else
            errand_free(e);
    }
}

/* ---- Writing -------------------------------------------------------------------------------- */

static int keep(struct control *c, struct redis_conn *conn, const struct order *o, struct err *err)
{
    bool changed;
    return o->cmd == ORDER_CANCEL
               ? store_cancel(c->store, conn, o->subject, err)
               : store_pause(c->store, conn, o->subject, o->cmd == ORDER_PAUSE, &changed, err);
}

static void keep_all(struct control *c, struct redis_conn *conn)
{
    for (struct errand *e = c->todo.head; e; e = e->next) {
        if (e->rc != 0 || !is_fact(&e->order) || e->order.kept)
            continue;
        e->rc = keep(c, conn, &e->order, &e->err);
        if (e->rc != 0)
            log_warn("an order could not be kept", log_str("cmd", order_cmd_name(e->order.cmd)),
                     log_str("error", e->err.text));
    }
}

static void put_answer(struct control *c, const struct errand *e, struct buf *out)
{
    buf_puts(out, "{\"identity\":");
    json_put_string(out, slice_of(store_identity(c->store)), SIZE_MAX);
    if (*e->order.id)
        buf_printf(out, ",\"id\":%s", e->order.id);
    if (e->rc != 0) {
        buf_puts(out, ",\"error\":");
        json_put_string(out, slice_of(e->err.text[0] ? e->err.text : err_phrase(e->rc)), SIZE_MAX);
    } else {
        buf_puts(out, ",\"ok\":true");
        if (e->order.cmd == ORDER_PING) {
            buf_putc(out, ',');
            c->describe(c->describe_ctx, out);
        }
    }
    buf_putc(out, '}');
}

/* Writes what is answered in the first errands, and drops these. */
static int answer_some(struct control *c, struct redis_conn *conn, struct err *err)
{
    enum { ANSWERS = 64 };
    struct errand *done[ANSWERS];
    struct buf text[ANSWERS] = {0};
    struct answer answer[ANSWERS];
    size_t n = 0, answers = 0;
    for (; n < ANSWERS && (done[n] = errands_pop(&c->todo)); n++) {
        if (!*done[n]->order.reply)
            continue;
        put_answer(c, done[n], &text[n]);
        answer[answers++] = (struct answer){done[n]->order.reply, buf_slice(&text[n])};
    }
    int rc = answers > 0 ? store_answers_write(c->store, conn, answer, answers, err) : 0;
    for (size_t i = 0; i < n; i++) {
        buf_release(&text[i]);
        errand_free(done[i]);
    }
    return rc;
}

void obey_flush(struct control *c, int64_t deadline_ns)
{
    struct redis_conn *conn = NULL;
    struct errand *e;
    struct err err = {""};
    if (!c->todo.head)
        return;
    int rc = redis_pool_take(c->pool, deadline_ns, &conn, &err);
    if (rc == 0) {
        keep_all(c, conn);
        while (rc == 0 && c->todo.head)
            rc = answer_some(c, conn, &err);
        redis_pool_give(c->pool, conn);
    }
    if (rc != 0)
        log_warn("orders could not be answered", log_str("error", err.text));
    while ((e = errands_pop(&c->todo)))
        errand_free(e);
}
