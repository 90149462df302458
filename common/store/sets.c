#include "store/sets.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "find.h"
#include "job/envelope.h"
#include "keys.h"
#include "scripts.h"
#include "store/cancel.h"

static const enum key set_keys[] = {
    [JOBS_RETRY] = KEY_RETRY,
    [JOBS_SCHEDULE] = KEY_SCHEDULE,
    [JOBS_DEAD] = KEY_DEAD,
};

/* ---- pages ---- */

static void put_entry(struct buf *out, const struct reply *entry, double score)
{
    struct slice payload = reply_str(entry);
    struct envelope e;
    enum json_type type;
    buf_puts(out, "{\"score\":");
    job_put_time(out, score);
    if (reply_type(entry) == REPLY_INT) {
        buf_printf(out, ",\"jid\":null,\"job\":null,\"bytes\":%" PRId64 "}", reply_int(entry));
        return;
    }
    bool is_json = json_scan(payload, &type, NULL, NULL, NULL) == 0;
    bool is_job = is_json && envelope_parse(payload, &e, NULL) == 0;
    buf_puts(out, ",\"jid\":");
    if (is_job && !e.jid_is_new)
        json_put_string(out, slice_of(e.jid), SIZE_MAX);
    else
        buf_puts(out, "null");
    if (is_job)
        envelope_release(&e);
    buf_puts(out, is_json ? ",\"job\":" : ",\"job\":null,\"raw\":");
    if (is_json)
        buf_put(out, payload);
    else
        json_put_string(out, payload, SIZE_MAX);
    buf_putc(out, '}');
}

static void put_page(struct buf *out, const struct reply *page, int64_t offset)
{
    int64_t total = reply_int(reply_at(page, 0)), n = ((int64_t)reply_count(page) - 1) / 2;
    buf_printf(out, "{\"total\":%" PRId64 ",\"offset\":%" PRId64 ",\"next\":", total, offset);
    if (n > 0 && offset + n < total)
        buf_printf(out, "%" PRId64, offset + n);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"jobs\":[");
    for (size_t i = 1; i + 1 < reply_count(page); i += 2) {
        if (i > 1)
            buf_putc(out, ',');
        put_entry(out, reply_at(page, i), reply_real(reply_at(page, i + 1)));
    }
    buf_puts(out, "]}");
}

int store_put_page(const struct store *s, struct redis_conn *c, enum job_set set, int64_t offset,
                   int64_t limit, struct buf *out, struct err *err)
{
    struct script_call call = {0};
    struct reply *page = NULL;
    script_begin(&call, &script_page, 1);
    command_add(&call.cmd, store_key(s, set_keys[set]));
    command_int(&call.cmd, offset);
    command_int(&call.cmd, limit);
    command_text(&call.cmd, set == JOBS_DEAD ? "1" : "0");
    command_int(&call.cmd, JOB_SHOWN_MAX);
    command_int(&call.cmd, JOB_PAGE_BYTES);
    int rc = script_run(c, &call, &page, err);
    if (rc == 0)
        put_page(out, page, offset);
    reply_free(page);
    script_call_release(&call);
    return rc;
}

/* ---- one dead job ---- */

static int find_dead(const struct store *s, struct redis_conn *c, const char *jid,
                     int64_t max_payload, struct found *ret, struct err *err)
{
    int rc = find_job(c, store_key(s, KEY_DEAD), jid, max_payload, INT64_MAX, ret, err);
    if (rc == 0 && ret->payload.n == 0)
        rc = err_set(err, -ENOENT, "there is no dead job %s", jid);
    return rc;
}

/* dead -> its queue, by the script that moves what is due. */
static int move(const struct store *s, struct redis_conn *c, struct slice old, struct slice renewed,
                const char *queue, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_promote, 3);
    command_add(&call.cmd, store_key(s, KEY_DEAD));
    command_add(&call.cmd, store_key(s, KEY_QUEUES));
    command_add(&call.cmd, store_key(s, KEY_DEAD));
    command_add(&call.cmd, store_key(s, KEY_QUEUE_PREFIX));
    command_add(&call.cmd, old);
    command_add(&call.cmd, renewed);
    command_text(&call.cmd, queue);
    int rc = script_run(c, &call, &reply, err);
    if (rc == 0 && reply_count(reply_at(reply, 1)) > 0)
        rc = err_set(err, -EMEDIUMTYPE, "queue:%s is no list", queue);
    else if (rc == 0 && reply_int(reply_at(reply, 0)) == 0)
        rc = err_set(err, -ENOENT, "the job is not dead any more");
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

int store_requeue_dead(const struct store *s, struct redis_conn *c, const char *jid,
                       int64_t max_payload, char **ret_queue, struct err *err)
{
    struct found old = {0};
    struct buf renewed = {0};
    struct envelope e = {0};
    double now = 0;
    int rc = find_dead(s, c, jid, max_payload, &old, err);
    if (rc == 0)
        rc = store_time(c, &now, err);
    if (rc == 0)
        rc = envelope_parse(buf_slice(&old.payload), &e, err);
    if (rc != 0)
        goto out;
    char *queue = strdup(e.queue ? e.queue : "default");
    rc = queue ? envelope_put_renewed(&e, queue, now, &renewed) : -ENOMEM;
    /* Before it can run, or it would be stopped at once. */
    if (rc == 0)
        rc = store_cancel_clear(s, c, jid, err);
    if (rc == 0)
        rc = move(s, c, buf_slice(&old.payload), buf_slice(&renewed), queue, err);
    if (rc == 0)
        *ret_queue = queue;
    else
        free(queue);
out:
    envelope_release(&e);
    buf_release(&old.payload);
    buf_release(&renewed);
    return rc;
}

int store_delete_dead(const struct store *s, struct redis_conn *c, const char *jid,
                      int64_t max_payload, struct err *err)
{
    struct found old = {0};
    struct reply *reply = NULL;
    struct slice key = store_key(s, KEY_DEAD);
    int rc = find_dead(s, c, jid, max_payload, &old, err);
    if (rc == 0)
        rc = redis_callf(c, &reply, err, "ZREM %b %b", key.p, key.n, old.payload.p, old.payload.n);
    if (rc == 0 && reply_int(reply) == 0)
        rc = err_set(err, -ENOENT, "the job is not dead any more");
    reply_free(reply);
    buf_release(&old.payload);
    return rc;
}
