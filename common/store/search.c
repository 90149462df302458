#include "store/search.h"

#include <inttypes.h>
#include <math.h>

#include "base/json.h"
#include "find.h"
#include "job/envelope.h"
#include "questions.h"
#include "report.h"
#include "scripts.h"
#include "store/inspect_json.h"
#include "store/sets.h"

enum { PROCESSES_PER_CALL = 64, LOOK_PER_CALL = 2000 };

struct search {
    const struct store *s;
    struct redis_conn *c;
    const char *jid;
    int64_t max_payload, left; /* elements that may still be looked at */
    struct buf *out;
    size_t n; /* places so far */
    bool truncated;
};

/* ---- what is found ---- */

struct place {
    const char *in, *name;
    double score;       /* NAN: it has none */
    int64_t position;   /* < 0: likewise */
    const char *worker; /* NULL: none */
};

/* The payload has been parsed. */
static void put_place(struct search *w, const struct place *place, struct slice payload)
{
    struct buf *out = w->out, text = {0};
    buf_printf(&text, "%s%s", place->in, place->name);
    buf_puts(out, w->n++ > 0 ? ",{\"in\":" : "{\"in\":");
    json_put_string(out, buf_slice(&text), SIZE_MAX);
    buf_release(&text);
    buf_puts(out, ",\"score\":");
    if (!isnan(place->score))
        job_put_time(out, place->score);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"position\":");
    if (place->position >= 0)
        buf_printf(out, "%" PRId64, place->position);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"worker\":");
    if (place->worker)
        json_put_string(out, slice_of(place->worker), SIZE_MAX);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"job\":");
    if (payload.n > JOB_SHOWN_MAX || out->n + payload.n > JOB_PAGE_BYTES)
        buf_printf(out, "null,\"bytes\":%zu", payload.n);
    else
        buf_put(out, payload);
    buf_putc(out, '}');
}

/* ---- where it waits, or is dead ---- */

static int look_into(struct search *w, struct slice key, const char *in, const char *name,
                     bool is_set, struct err *err)
{
    struct found found = {0};
    if (w->left <= 0) {
        w->truncated = true;
        return 0;
    }
    int64_t look = w->left < SEARCH_LOOK_MAX ? w->left : SEARCH_LOOK_MAX;
    int rc = find_job(w->c, key, w->jid, w->max_payload, look, &found, err);
    if (rc != 0)
        return rc;
    w->left -= found.looked;
    w->truncated = w->truncated || found.cut;
    struct place place = {in, name, is_set ? found.score : NAN, is_set ? -1 : found.position, NULL};
    if (found.payload.n > 0)
        put_place(w, &place, buf_slice(&found.payload));
    buf_release(&found.payload);
    return 0;
}

static int look_into_queue(struct search *w, enum key prefix, const char *in, const char *name,
                           struct err *err)
{
    struct buf key = {0};
    buf_printf(&key, "%s%s", w->s->key[prefix], name);
    int rc = buf_error(&key);
    rc = rc == 0 ? look_into(w, buf_slice(&key), in, name, false, err)
                 : err_set(err, rc, "%s", err_phrase(rc));
    buf_release(&key);
    return rc;
}

/* ---- what runs ---- */

/* The job of an element of a claim, or of a report; empty when it is another's. */
static struct slice job_of(const struct search *w, struct slice element, bool claim,
                           struct buf *decoded)
{
    const struct slice nothing = {"", 0};
    struct envelope e;
    struct report report = {.job = element};
    if (!claim)
        report_read(element, decoded, &report);
    if (report.job.n == 0 || envelope_parse(report.job, &e, NULL) != 0)
        return nothing;
    bool is = !e.jid_is_new && strcmp(e.jid, w->jid) == 0;
    envelope_release(&e);
    return is ? report.job : nothing;
}

/* Some processes from `first` on; *ret_done: how many. */
static int look_at_some(struct search *w, const struct names *processes, const struct names *ours,
                        size_t first, size_t *ret_done, struct err *err)
{
    enum { DONE, LOOKED, HEAD };
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_find_running, 0);
    command_text(&call.cmd, w->s->prefix);
    command_add(&call.cmd, store_key(w->s, KEY_CLAIMS_PREFIX));
    command_add(&call.cmd, store_key(w->s, KEY_CLAIM_PREFIX));
    command_text(&call.cmd, w->jid);
    command_int(&call.cmd, w->max_payload);
    command_int(&call.cmd, LOOK_PER_CALL);
    for (size_t i = first; i < first + PROCESSES_PER_CALL && i < processes->n; i++) {
        command_text(&call.cmd, processes->name[i]);
        command_text(&call.cmd, names_have(ours, processes->name[i]) ? "1" : "0");
    }
    int rc = script_run(w->c, &call, &reply, err);
    if (rc == 0 && reply_int(reply_at(reply, DONE)) <= 0)
        rc = err_set(err, -EPROTO, "find_running: an odd answer");
    for (size_t i = HEAD; rc == 0 && i + 1 < reply_count(reply); i += 2) {
        size_t at = first + (size_t)reply_int(reply_at(reply, i)) - 1;
        const char *process = at < processes->n ? processes->name[at] : "";
        struct buf decoded = {0};
        struct slice job =
            job_of(w, reply_str(reply_at(reply, i + 1)), names_have(ours, process), &decoded);
        if (job.n > 0)
            put_place(w, &(struct place){"running", "", NAN, -1, process}, job);
        buf_release(&decoded);
    }
    if (rc == 0) {
        *ret_done = (size_t)reply_int(reply_at(reply, DONE));
        w->left -= reply_int(reply_at(reply, LOOKED));
    }
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

static int look_at_running(struct search *w, const struct reply *processes,
                           const struct reply *workers, struct err *err)
{
    struct names all = {0}, ours = {0};
    int rc = names_of(processes, workers, &all, err);
    if (rc == 0)
        rc = names_of(workers, NULL, &ours, err);
    size_t at = 0;
    for (size_t done = 0; rc == 0 && at < all.n && w->left > 0; at += done)
        rc = look_at_some(w, &all, &ours, at, &done, err);
    w->truncated = w->truncated || at < all.n;
    names_release(&all);
    names_release(&ours);
    return rc;
}

/* ---- all of it ---- */

static void put_head(struct search *w, const struct reply *record, const struct reply *length)
{
    buf_puts(w->out, "{\"jid\":");
    json_put_string(w->out, slice_of(w->jid), SIZE_MAX);
    buf_puts(w->out, ",\"record\":");
    if (reply_count(record) > 0)
        inspect_put_job(w->out, w->jid, record);
    else
        buf_puts(w->out, "null");
    buf_printf(w->out, ",\"events\":%" PRId64 ",\"found\":[", reply_int(length));
}

static int look_at_queues(struct search *w, const struct reply *members, struct err *err)
{
    struct names queues = {0};
    int rc = names_of(members, NULL, &queues, err);
    for (size_t i = 0; rc == 0 && i < queues.n; i++) {
        rc = look_into_queue(w, KEY_QUEUE_PREFIX, "queue:", queues.name[i], err);
        if (rc == 0)
            rc = look_into_queue(w, KEY_TRIAL_PREFIX, "trial:", queues.name[i], err);
    }
    names_release(&queues);
    return rc;
}

int store_put_search(const struct store *s, struct redis_conn *c, const char *jid,
                     int64_t max_payload, struct buf *out, struct err *err)
{
    enum { RECORD, STREAM, QUEUES, PROCESSES, WORKERS };
    struct questions q = {.c = c};
    struct search w = {.s = s,
                       .c = c,
                       .jid = jid,
                       .max_payload = max_payload,
                       .left = SEARCH_TOTAL_MAX,
                       .out = out};
    question_ask_named(&q, s, "HGETALL", KEY_JOB_PREFIX, jid);
    question_ask_named(&q, s, "LLEN", KEY_STREAM_PREFIX, jid);
    question_ask_key(&q, "SMEMBERS", store_key(s, KEY_QUEUES));
    question_ask_key(&q, "SMEMBERS", store_key(s, KEY_PROCESSES));
    question_ask_key(&q, "SMEMBERS", store_key(s, KEY_WORKERS));
    int rc = questions_read(&q, err);
    if (rc == 0) {
        put_head(&w, question_answer(&q, RECORD), question_answer(&q, STREAM));
        rc = look_into(&w, store_key(s, KEY_SCHEDULE), "schedule", "", true, err);
    }
    if (rc == 0)
        rc = look_into(&w, store_key(s, KEY_RETRY), "retry", "", true, err);
    if (rc == 0)
        rc = look_at_queues(&w, question_answer(&q, QUEUES), err);
    if (rc == 0)
        rc = look_at_running(&w, question_answer(&q, PROCESSES), question_answer(&q, WORKERS), err);
    if (rc == 0)
        rc = look_into(&w, store_key(s, KEY_DEAD), "dead", "", true, err);
    buf_printf(out, "],\"truncated\":%s}", w.truncated ? "true" : "false");
    questions_release(&q);
    return rc;
}
