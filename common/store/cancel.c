#include "store/cancel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "job/envelope.h"
#include "questions.h"
#include "scripts.h"
#include "store/job_view.h"

enum { PAGE = 1000 };

int store_cancel(const struct store *s, struct redis_conn *c, const char *jid, struct err *err)
{
    struct script_call call = {0};
    struct buf message = {0};
    buf_puts(&message, "{\"cmd\":\"cancel\",\"jid\":");
    json_put_string(&message, slice_of(jid), SIZE_MAX);
    buf_putc(&message, '}');
    int rc = buf_error(&message);
    script_begin(&call, &script_cancel, 1);
    command_add(&call.cmd, store_key(s, KEY_CANCELLED));
    command_text(&call.cmd, jid);
    command_int(&call.cmd, STORE_CANCELLED_SECONDS);
    command_int(&call.cmd, STORE_CANCELLED_MAX);
    command_add(&call.cmd, store_key(s, KEY_CONTROL));
    command_add(&call.cmd, buf_slice(&message));
    if (rc == 0)
        rc = script_run(c, &call, NULL, err);
    script_call_release(&call);
    buf_release(&message);
    return rc;
}

int store_cancel_clear(const struct store *s, struct redis_conn *c, const char *jid,
                       struct err *err)
{
    return redis_callf(c, NULL, err, "ZREM %s %s", s->key[KEY_CANCELLED], jid);
}

int store_cancelled(const struct store *s, struct redis_conn *c, struct reply **ret,
                    struct err *err)
{
    return redis_callf(c, ret, err, "ZRANGE %s 0 -1", s->key[KEY_CANCELLED]);
}

/* ---- taking out what waits ---- */

struct search {
    const struct store *s;
    struct redis_conn *c;
    const char *jid;
    int64_t ttl_s;
    bool found;
};

/* Takes one payload out of its place, if it is still there. */
static int withdraw(struct search *w, struct slice key, struct slice payload, bool tracked,
                    struct err *err)
{
    struct script_call call = {0};
    struct command *cmd = &call.cmd;
    struct reply *reply = NULL;
    double now = 0;
    int rc = store_time(w->c, &now, err);
    script_begin(&call, &script_withdraw, 3);
    command_add(cmd, key);
    store_add_key(cmd, w->s, KEY_JOB_PREFIX, w->jid);
    store_add_key(cmd, w->s, KEY_STREAM_PREFIX, w->jid);
    command_add(cmd, payload);
    command_int(cmd, tracked);
    command_int(cmd, w->ttl_s);
    command_text(cmd, STORE_STOPPED_EVENT);
    command_text(cmd, "state");
    command_text(cmd, "stopped");
    command_text(cmd, "finished_at");
    command_printf(cmd, "%.6f", now);
    command_text(cmd, "error_class");
    command_text(cmd, "Cancelled");
    command_text(cmd, "error");
    command_text(cmd, "cancelled before it ran");
    if (rc == 0)
        rc = script_run(w->c, &call, &reply, err);
    if (rc == 0)
        w->found = reply_int(reply) == 1;
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

/* Looks at one payload; most are dismissed without being parsed. */
static int look_at(struct search *w, struct slice key, struct slice payload, struct err *err)
{
    struct envelope e;
    if (w->found || !memmem(payload.p, payload.n, w->jid, strlen(w->jid)) ||
        envelope_parse(payload, &e, NULL) != 0)
        return 0;
    int rc = 0;
    if (!e.jid_is_new && strcmp(e.jid, w->jid) == 0)
        rc = withdraw(w, key, payload, e.track, err);
    envelope_release(&e);
    return rc;
}

static int search_set(struct search *w, enum key set, struct err *err)
{
    struct slice key = store_key(w->s, set);
    char cursor[32] = "0";
    int rc = 0;
    do {
        struct reply *page = NULL;
        rc = redis_callf(w->c, &page, err, "ZSCAN %s %s COUNT %d", key.p, cursor, PAGE);
        if (rc == -EMEDIUMTYPE)
            return 0;
        const struct reply *entries = reply_at(page, 1);
        for (size_t i = 0; rc == 0 && i + 1 < reply_count(entries); i += 2)
            rc = look_at(w, key, reply_str(reply_at(entries, i)), err);
        struct slice next = reply_str(reply_at(page, 0));
        size_t n = next.n < sizeof cursor - 1 ? next.n : sizeof cursor - 1;
        memcpy(cursor, next.n > 0 ? next.p : "", n);
        cursor[n] = '\0';
        reply_free(page);
    } while (rc == 0 && !w->found && strcmp(cursor, "0") != 0 && *cursor);
    return rc;
}

/* From the tail, where the next to run is. */
static int search_queue(struct search *w, const char *name, struct err *err)
{
    struct buf key = {0};
    buf_printf(&key, "%s%s", w->s->key[KEY_QUEUE_PREFIX], name);
    int rc = buf_error(&key);
    size_t n = PAGE;
    for (int64_t at = 0; rc == 0 && !w->found && n == PAGE && at < STORE_CANCEL_LOOK_MAX;
         at += PAGE) {
        struct reply *page = NULL;
        rc = redis_callf(w->c, &page, err, "LRANGE %s %lld %lld", buf_str(&key),
                         (long long)(-at - PAGE), (long long)(-at - 1));
        if (rc == -EMEDIUMTYPE) {
            rc = 0;
            break;
        }
        n = reply_count(page);
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = look_at(w, buf_slice(&key), reply_str(reply_at(page, i)), err);
        reply_free(page);
    }
    buf_release(&key);
    return rc;
}

int store_cancel_withdraw(const struct store *s, struct redis_conn *c, const char *jid,
                          int64_t ttl_s, char **ret_where, struct err *err)
{
    struct search w = {.s = s, .c = c, .jid = jid, .ttl_s = ttl_s};
    struct reply *members = NULL;
    struct names queues = {0};
    char *where = NULL;
    int rc = search_set(&w, KEY_RETRY, err);
    if (rc == 0 && w.found)
        where = strdup("retry");
    if (rc == 0 && !w.found)
        rc = search_set(&w, KEY_SCHEDULE, err);
    if (rc == 0 && w.found && !where)
        where = strdup("schedule");
    if (rc == 0 && !w.found)
        rc = redis_callf(c, &members, err, "SMEMBERS %s", s->key[KEY_QUEUES]);
    if (rc == -EMEDIUMTYPE)
        rc = 0;
    if (rc == 0)
        rc = names_of(members, NULL, &queues, err);
    for (size_t i = 0; rc == 0 && !w.found && i < queues.n; i++) {
        rc = search_queue(&w, queues.name[i], err);
        if (w.found && asprintf(&where, "queue:%s", queues.name[i]) < 0)
            where = NULL;
    }
    if (rc == 0 && !w.found)
        where = strdup("");
    names_release(&queues);
    reply_free(members);
    if (rc == 0 && !where)
        rc = err_set(err, -ENOMEM, "no memory");
    if (rc == 0)
        *ret_where = where;
    else
        free(where);
    return rc;
}

/* ---- both ---- */

/* Only a tracked job says that it runs. */
static int is_running(const struct store *s, struct redis_conn *c, const char *jid, bool *ret,
                      struct err *err)
{
    struct reply *record = NULL;
    int rc = store_job_read(s, c, jid, &record, err);
    if (rc == 0)
        *ret = slice_is(reply_str(reply_field(record, "state")), "running");
    reply_free(record);
    return rc;
}

int store_cancel_job(const struct store *s, struct redis_conn *c, const char *jid, int64_t ttl_s,
                     struct cancellation *ret, struct err *err)
{
    struct cancellation done = {0};
    int rc = is_running(s, c, jid, &done.running, err);
    /* The flag before the search: what is claimed while we look meets it. */
    if (rc == 0)
        rc = store_cancel(s, c, jid, err);
    if (rc == 0)
        rc = store_cancel_withdraw(s, c, jid, ttl_s, &done.where, err);
    if (rc == 0)
        *ret = done;
    return rc;
}

void cancellation_release(struct cancellation *c)
{
    free(c->where);
    *c = (struct cancellation){0};
}
