#include "store/sets.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "find.h"
#include "job/envelope.h"
#include "move.h"
#include "scripts.h"
#include "withdraw.h"

static const char *const names[] = {
    [JOBS_RETRY] = "retry",
    [JOBS_SCHEDULE] = "schedule",
    [JOBS_DEAD] = "dead",
};

/* ---- pages ---- */

int store_page(const struct store *s, struct redis_conn *c, enum job_set set, int64_t offset,
               int64_t limit, struct job_page *ret, struct err *err)
{
    struct script_call call = {0};
    struct reply *page = NULL;
    script_begin(&call, &script_page, 1);
    command_add(&call.cmd, job_set_key(s, set));
    command_int(&call.cmd, offset);
    command_int(&call.cmd, limit);
    command_text(&call.cmd, set == JOBS_DEAD ? "1" : "0");
    command_int(&call.cmd, JOB_SHOWN_MAX);
    command_int(&call.cmd, JOB_PAGE_BYTES);
    int rc = script_run(c, &call, &page, err);
    script_call_release(&call);
    if (rc == 0)
        *ret = (struct job_page){.reply = page,
                                 .total = reply_int(reply_at(page, 0)),
                                 .n = reply_count(page) > 0 ? (reply_count(page) - 1) / 2 : 0};
    return rc;
}

void job_page_release(struct job_page *page)
{
    reply_free(page->reply);
    *page = (struct job_page){0};
}

struct job_entry job_page_at(const struct job_page *page, size_t i)
{
    const struct reply *entry = reply_at(page->reply, 1 + 2 * i);
    bool too_long = reply_type(entry) == REPLY_INT;
    return (struct job_entry){
        .payload = too_long ? (struct slice){"", 0} : reply_str(entry),
        .bytes = too_long ? reply_int(entry) : 0,
        .score = reply_real(reply_at(page->reply, 2 + 2 * i)),
    };
}

void job_entry_put(struct buf *out, const struct job_entry *entry)
{
    struct slice payload = entry->payload;
    struct envelope e;
    enum json_type type;
    buf_puts(out, "{\"score\":");
    job_put_time(out, entry->score);
    if (entry->bytes > 0) {
        buf_printf(out, ",\"jid\":null,\"job\":null,\"bytes\":%" PRId64 "}", entry->bytes);
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

int store_put_page(const struct store *s, struct redis_conn *c, enum job_set set, int64_t offset,
                   int64_t limit, struct buf *out, struct err *err)
{
    struct job_page page = {0};
    int rc = store_page(s, c, set, offset, limit, &page, err);
    if (rc != 0)
        return rc;
    int64_t behind = offset + (int64_t)page.n;
    buf_printf(out, "{\"total\":%" PRId64 ",\"offset\":%" PRId64 ",\"next\":", page.total, offset);
    if (page.n > 0 && behind < page.total)
        buf_printf(out, "%" PRId64, behind);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"jobs\":[");
    for (size_t i = 0; i < page.n; i++) {
        const struct job_entry entry = job_page_at(&page, i);
        buf_puts(out, i > 0 ? "," : "");
        job_entry_put(out, &entry);
    }
    buf_puts(out, "]}");
    job_page_release(&page);
    return 0;
}

/* ---- one job ---- */

static int find(const struct store *s, struct redis_conn *c, enum job_set set, const char *jid,
                int64_t max_payload, struct found *ret, struct err *err)
{
    int rc = find_job(c, job_set_key(s, set), jid, max_payload, INT64_MAX, ret, err);
    if (rc == 0 && ret->payload.n == 0)
        rc = err_set(err, -ENOENT, "there is no job %s in %s", jid, names[set]);
    return rc;
}

static int gone(enum job_set set, struct err *err)
{
    return err_set(err, -ENOENT, "the job is not in %s any more", names[set]);
}

static int move_one(const struct store *s, struct redis_conn *c, enum job_set set,
                    const struct envelope *e, double now, struct err *err)
{
    struct move move;
    int64_t moved = 0, wrong = 0;
    move_begin(&move, s, set, now);
    int rc = move_add(&move, e);
    if (rc != 0)
        (void)err_set(err, rc, "%s", err_phrase(rc)); /* the code is kept in rc */
    else
        rc = move_run(&move, c, &moved, &wrong, err);
    move_release(&move);
    if (rc == 0 && wrong > 0)
        return err_set(err, -EMEDIUMTYPE, "queue:%s is no list", move_queue(set, e));
    return rc == 0 && moved == 0 ? gone(set, err) : rc;
}

int store_requeue(const struct store *s, struct redis_conn *c, enum job_set set, const char *jid,
                  int64_t max_payload, char **ret_queue, struct err *err)
{
    struct found old = {0};
    struct envelope e = {0};
    double now = 0;
    int rc = find(s, c, set, jid, max_payload, &old, err);
    if (rc == 0)
        rc = store_time(c, &now, err);
    if (rc == 0)
        rc = envelope_parse(buf_slice(&old.payload), &e, err);
    char *queue = rc == 0 ? strdup(move_queue(set, &e)) : NULL;
    if (rc == 0 && !queue)
        rc = err_set(err, -ENOMEM, "%s", err_phrase(-ENOMEM));
    if (rc == 0)
        rc = move_one(s, c, set, &e, now, err);
    if (rc == 0)
        *ret_queue = queue;
    else
        free(queue);
    envelope_release(&e);
    buf_release(&old.payload);
    return rc;
}

int store_delete(const struct store *s, struct redis_conn *c, enum job_set set, const char *jid,
                 int64_t ttl_s, int64_t max_payload, struct err *err)
{
    struct found old = {0};
    struct reply *reply = NULL;
    struct slice key = job_set_key(s, set);
    bool deleted = false;
    int rc = find(s, c, set, jid, max_payload, &old, err);
    if (rc == 0 && set == JOBS_DEAD) { /* it has come to its end already */
        rc = redis_callf(c, &reply, err, "ZREM %b %b", key.p, key.n, old.payload.p, old.payload.n);
        deleted = reply_int(reply) == 1;
    } else if (rc == 0) {
        struct withdrawal out = {.key = key,
                                 .payload = buf_slice(&old.payload),
                                 .jid = jid,
                                 .tracked = old.tracked,
                                 .ttl_s = ttl_s,
                                 .error_class = STORE_DELETED_CLASS,
                                 .error = STORE_DELETED};
        rc = store_time(c, &out.now, err);
        if (rc == 0)
            rc = withdraw(s, c, &out, &deleted, err);
    }
    if (rc == 0 && !deleted)
        rc = gone(set, err);
    reply_free(reply);
    buf_release(&old.payload);
    return rc;
}
