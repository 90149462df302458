#include "store/sets_bulk.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "move.h"
#include "scripts.h"
#include "withdraw.h"

enum { PAGE_ENTRIES = 100, PAGE_BYTES = 4 << 20 };
enum { NEXT, SIZE, STAY, DELETED, HEAD }; /* of the script's reply */

/* A cursor is that of ZSCAN and, for the sake of `left`, how many entries lie behind it that were
 * looked at and stay. */
bool bulk_cursor_ok(const char *text)
{
    static const char digits[] = "0123456789";
    size_t n = strspn(text, digits), more = text[n] == '.' ? strspn(text + n + 1, digits) : 0;
    if (n == 0 || n > 20 || more == 0 || more > 18 || text[n + 1 + more] != '\0')
        return false;
    errno = 0;
    return strtoull(text, NULL, 10) < ULLONG_MAX || errno == 0; /* it has 64 bits */
}

struct bulk {
    const struct store *s;
    struct redis_conn *c;
    const struct bulk_order *o;
    double now;
    char at[24];    /* cursor of ZSCAN */
    int64_t passed; /* looked at, and stay */
    int64_t size;   /* of the set */
    int64_t looked; /* by this call */
    int64_t done, skipped;
};

/* Of a page, what may be done at once. */
struct batch {
    struct envelope *jobs; /* those that are meant */
    size_t njobs;
    struct slice *others; /* no jobs, to be deleted */
    size_t nothers;
    int64_t passed, skipped; /* of the page so far */
};

static bool is_filtered(const struct bulk_order *o)
{
    return o->klass || o->error_class;
}

/* ---- which are meant ---- */

struct error_look {
    const char *wanted;
    bool is;
};

static int look_at_error(void *ctx, const struct json_member *m)
{
    struct error_look *look = ctx;
    struct buf text = {0};
    if (!json_key_is(m->key, "error_class"))
        return 0;
    /* The last of that name counts, as with all members of a job. */
    look->is = m->type == JSON_STRING && json_decode_string(m->value, &text) == 0 &&
               strcmp(buf_str(&text), look->wanted) == 0;
    buf_release(&text);
    return 0;
}

static bool is_meant(const struct bulk_order *o, const struct envelope *e)
{
    struct error_look look = {.wanted = o->error_class};
    enum json_type type;
    if (o->klass && strcmp(o->klass, e->klass) != 0)
        return false;
    return !o->error_class ||
           (json_scan(e->payload, &type, look_at_error, &look, NULL) == 0 && look.is);
}

static int sort_out(const struct bulk_order *o, struct slice entry, struct batch *batch)
{
    struct envelope *e = &batch->jobs[batch->njobs];
    int rc = envelope_parse(entry, e, NULL);
    if (rc == 0 && is_meant(o, e)) {
        batch->njobs++;
        return 0;
    }
    if (rc == 0) {
        envelope_release(e);
    } else if (rc != -EBADMSG) {
        return rc;
    } else if (!is_filtered(o)) {
        if (o->action == BULK_DELETE) {
            batch->others[batch->nothers++] = entry;
            return 0;
        }
        batch->skipped++;
    }
    batch->passed++;
    return 0;
}

static void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->njobs; i++)
        envelope_release(&batch->jobs[i]);
    batch->njobs = batch->nothers = 0;
}

/* From entry *at of the page on, as many as may still be done. */
static int fill_batch(const struct bulk *b, const struct reply *page, size_t *at,
                      struct batch *batch, struct err *err)
{
    int64_t room = b->o->limit - b->done;
    int rc = 0;
    batch_clear(batch);
    for (; rc == 0 && *at < reply_count(page) && (int64_t)(batch->njobs + batch->nothers) < room;
         ++*at)
        rc = sort_out(b->o, reply_str(reply_at(page, *at)), batch);
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

/* ---- doing it ---- */

static int requeue(struct bulk *b, struct batch *batch, struct err *err)
{
    struct move move;
    int64_t moved = 0, wrong = 0;
    int rc = 0;
    if (batch->njobs == 0)
        return 0;
    move_begin(&move, b->s, b->o->set, b->now);
    for (size_t i = 0; rc == 0 && i < batch->njobs; i++)
        if ((rc = move_add(&move, &batch->jobs[i])) != 0)
            (void)err_set(err, rc, "%s", err_phrase(rc)); /* the code is kept in rc */
    if (rc == 0)
        rc = move_run(&move, b->c, &moved, &wrong, err);
    move_release(&move);
    b->done += moved;
    batch->skipped += wrong;
    batch->passed += wrong;
    return rc;
}

/* Without an end of its own: what is dead has had it, and what is no job has none. */
static int delete_entries(struct bulk *b, const struct batch *batch, bool jobs, struct err *err)
{
    struct command cmd = {0};
    struct reply *reply = NULL;
    size_t n = batch->nothers + (jobs ? batch->njobs : 0);
    if (n == 0)
        return 0;
    command_text(&cmd, "ZREM");
    command_add(&cmd, job_set_key(b->s, b->o->set));
    for (size_t i = 0; i < batch->nothers; i++)
        command_add(&cmd, batch->others[i]);
    for (size_t i = 0; jobs && i < batch->njobs; i++)
        command_add(&cmd, batch->jobs[i].payload);
    int rc = redis_call(b->c, &cmd, &reply, err);
    if (rc == 0)
        b->done += reply_int(reply);
    reply_free(reply);
    command_release(&cmd);
    return rc;
}

static int withdraw_jobs(struct bulk *b, const struct batch *batch, struct err *err)
{
    size_t n = batch->njobs;
    struct script_call *calls = calloc(n ? n : 1, sizeof *calls);
    const struct script_call **list = calloc(n ? n : 1, sizeof *list);
    struct reply **replies = calloc(n ? n : 1, sizeof *replies);
    int rc = calls && list && replies ? 0 : err_set(err, -ENOMEM, "%s", err_phrase(-ENOMEM));
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct envelope *e = &batch->jobs[i];
        struct withdrawal out = {.key = job_set_key(b->s, b->o->set),
                                 .payload = e->payload,
                                 .jid = e->jid,
                                 .tracked = e->track && !e->jid_is_new,
                                 .now = b->now,
                                 .ttl_s = b->o->ttl_s,
                                 .error_class = STORE_DELETED_CLASS,
                                 .error = STORE_DELETED};
        withdraw_begin(&calls[i], b->s, &out);
        list[i] = &calls[i];
    }
    if (rc == 0 && n > 0)
        rc = script_run_all(b->c, list, (int)n, replies, err);
    for (size_t i = 0; replies && i < n; i++) {
        int one = rc == 0 ? reply_error(replies[i], err) : 0;
        if (one != 0)
            rc = one;
        b->done += reply_int(replies[i]) == 1;
        reply_free(replies[i]);
    }
    for (size_t i = 0; calls && i < n; i++)
        script_call_release(&calls[i]);
    free(replies);
    free(list);
    free(calls);
    return rc;
}

static int act(struct bulk *b, struct batch *batch, struct err *err)
{
    if (b->o->action == BULK_REQUEUE)
        return requeue(b, batch, err);
    bool ended = b->o->set == JOBS_DEAD;
    int rc = delete_entries(b, batch, ended, err);
    return rc == 0 && !ended ? withdraw_jobs(b, batch, err) : rc;
}

/* ---- page by page ---- */

static int read_page(struct bulk *b, struct reply **ret, struct err *err)
{
    const struct bulk_order *o = b->o;
    struct script_call call = {0};
    bool all = o->action == BULK_DELETE && !is_filtered(o);
    script_begin(&call, &script_bulk_page, 1);
    command_add(&call.cmd, job_set_key(b->s, o->set));
    command_text(&call.cmd, b->at);
    command_int(&call.cmd, PAGE_ENTRIES);
    command_int(&call.cmd, PAGE_BYTES);
    command_int(&call.cmd, o->max_payload);
    command_int(&call.cmd, all ? o->limit - b->done : 0);
    int rc = script_run(b->c, &call, ret, err);
    script_call_release(&call);
    if (rc == 0 && reply_count(*ret) < HEAD)
        rc = err_set(err, -EPROTO, "bulk_page: an odd answer");
    return rc;
}

/* Does the entries of a page. It is left behind when all of it was looked at; else the limit is
 * reached, and the next call sees the page again, with those entries less. */
static int do_page(struct bulk *b, const struct reply *page, struct batch *batch, struct err *err)
{
    const struct bulk_order *o = b->o;
    int64_t too_long = reply_int(reply_at(page, STAY)), before = b->done;
    size_t at = HEAD;
    int rc = 0;
    batch->passed = too_long;
    batch->skipped = o->action == BULK_REQUEUE && !is_filtered(o) ? too_long : 0;
    /* More than once when some could not be done, or others were faster. */
    while (rc == 0 && at < reply_count(page) && b->done < o->limit) {
        rc = fill_batch(b, page, &at, batch, err);
        if (rc == 0)
            rc = act(b, batch, err);
    }
    b->size = reply_int(reply_at(page, SIZE)) - (b->done - before);
    bool all_gone = o->action == BULK_REQUEUE || is_filtered(o) || too_long == 0;
    if (rc == 0 && at == reply_count(page) && all_gone) {
        struct slice next = reply_str(reply_at(page, NEXT));
        (void)snprintf(b->at, sizeof b->at, "%.*s", (int)next.n, next.p); /* 64 bits fit */
        b->passed += batch->passed;
        b->skipped += batch->skipped;
    }
    return rc;
}

static int step(struct bulk *b, struct err *err)
{
    struct reply *page = NULL;
    struct batch batch = {0};
    int rc = read_page(b, &page, err);
    size_t n = reply_count(page);
    if (rc == 0) {
        b->done += reply_int(reply_at(page, DELETED));
        b->looked += (int64_t)n;
        batch.jobs = calloc(n, sizeof *batch.jobs);
        batch.others = calloc(n, sizeof *batch.others);
        rc = batch.jobs && batch.others ? do_page(b, page, &batch, err)
                                        : err_set(err, -ENOMEM, "%s", err_phrase(-ENOMEM));
    }
    batch_clear(&batch);
    free(batch.jobs);
    free(batch.others);
    reply_free(page);
    return rc;
}

int store_bulk(const struct store *s, struct redis_conn *c, const struct bulk_order *o,
               struct bulk_result *ret, struct err *err)
{
    struct bulk b = {.s = s, .c = c, .o = o, .at = "0"};
    if (o->after) {
        (void)snprintf(b.at, sizeof b.at, "%.*s", (int)strcspn(o->after, "."), o->after); /* fits */
        b.passed = strtoll(strchr(o->after, '.') + 1, NULL, 10);
    }
    int rc = store_time(c, &b.now, err);
    for (bool more = true; rc == 0 && more;) {
        rc = step(&b, err);
        more = b.at[0] && b.done < o->limit && b.looked < BULK_LOOK_MAX;
    }
    if (rc != 0)
        return rc;
    *ret = (struct bulk_result){.done = b.done, .skipped = b.skipped};
    if (b.at[0]) {
        ret->left = b.size > b.passed ? b.size - b.passed : 0;
        (void)snprintf(ret->next, sizeof ret->next, "%s.%" PRId64, b.at, b.passed); /* fits */
    }
    return 0;
}
