#include "store/cancel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "questions.h"
#include "scripts.h"
#include "store/job_view.h"
#include "store/order.h"
#include "withdraw.h"

int store_cancel(const struct store *s, struct redis_conn *c, const char *jid, struct err *err)
{
    struct script_call call = {0};
    struct buf message = {0};
    order_put_open(&(struct order){.cmd = ORDER_CANCEL, .subject = (char *)jid, .kept = true},
                   &message);
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
    int64_t ttl_s, max_payload;
    bool found;
};

/* Takes one payload out of its place, if it is still there. */
static int take_out(struct search *w, struct slice key, const struct found *found, struct err *err)
{
    struct withdrawal out = {
        .key = key,
        .payload = buf_slice(&found->payload),
        .jid = w->jid,
        .tracked = found->tracked,
        .ttl_s = w->ttl_s,
        .error_class = "Cancelled",
        .error = "cancelled before it ran",
    };
    int rc = store_time(w->c, &out.now, err);
    if (rc == 0)
        rc = withdraw(w->s, w->c, &out, &w->found, err);
    return rc;
}

/* Looks in one list or sorted set. */
static int search(struct search *w, struct slice key, struct err *err)
{
    struct found found = {0};
    int rc = find_job(w->c, key, w->jid, w->max_payload, STORE_CANCEL_LOOK_MAX, &found, err);
    if (rc == 0 && found.payload.n > 0)
        rc = take_out(w, key, &found, err);
    buf_release(&found.payload);
    return rc;
}

static int search_queues(struct search *w, char **ret_where, struct err *err)
{
    struct reply *members = NULL;
    struct names queues = {0};
    struct buf key = {0};
    int rc = redis_callf(w->c, &members, err, "SMEMBERS %s", w->s->key[KEY_QUEUES]);
    if (rc == -EMEDIUMTYPE)
        rc = 0;
    if (rc == 0)
        rc = names_of(members, NULL, &queues, err);
    for (size_t i = 0; rc == 0 && !w->found && i < queues.n; i++) {
        buf_clear(&key);
        buf_printf(&key, "%s%s", w->s->key[KEY_QUEUE_PREFIX], queues.name[i]);
        rc = buf_error(&key);
        if (rc == 0)
            rc = search(w, buf_slice(&key), err);
        if (w->found && asprintf(ret_where, "queue:%s", queues.name[i]) < 0)
            rc = -ENOMEM;
    }
    buf_release(&key);
    names_release(&queues);
    reply_free(members);
    return rc;
}

int store_cancel_withdraw(const struct store *s, struct redis_conn *c, const char *jid,
                          int64_t ttl_s, int64_t max_payload, char **ret_where, struct err *err)
{
    struct search w = {.s = s, .c = c, .jid = jid, .ttl_s = ttl_s, .max_payload = max_payload};
    const char *where = "retry";
    char *queue = NULL;
    int rc = search(&w, store_key(s, KEY_RETRY), err);
    if (rc == 0 && !w.found) {
        where = "schedule";
        rc = search(&w, store_key(s, KEY_SCHEDULE), err);
    }
    if (rc == 0 && !w.found)
        rc = search_queues(&w, &queue, err);
    if (rc == 0 && !queue && !(queue = strdup(w.found ? where : "")))
        rc = -ENOMEM;
    if (rc == 0)
        *ret_where = queue;
    else
        free(queue);
    return rc == -ENOMEM ? err_set(err, rc, "%s", err_phrase(rc)) : rc;
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
                     int64_t max_payload, struct cancellation *ret, struct err *err)
{
    struct cancellation done = {0};
    int rc = is_running(s, c, jid, &done.running, err);
    /* The flag before the search: what is claimed while we look meets it. */
    if (rc == 0)
        rc = store_cancel(s, c, jid, err);
    if (rc == 0)
        rc = store_cancel_withdraw(s, c, jid, ttl_s, max_payload, &done.where, err);
    if (rc == 0)
        *ret = done;
    return rc;
}

void cancellation_release(struct cancellation *c)
{
    free(c->where);
    *c = (struct cancellation){0};
}
