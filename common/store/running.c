#include "store/running.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "job/envelope.h"
#include "questions.h"
#include "report.h"
#include "scripts.h"
#include "store/inspect.h"

enum { PROCESSES_PER_CALL = 64, LOOK_PER_CALL = 500 };
enum { DONE, TOTAL, LOOKED, HEAD, JOB_PARTS = 3 }; /* of the script's reply */

struct entry {
    double started_at; /* INFINITY: unknown */
    const char *worker;
    size_t at; /* the order in which they came, for those of the same start */
    char *report;
    size_t n;
};

/* ---- the oldest of what is found ---- */

struct search {
    const struct store *s;
    struct redis_conn *c;
    const struct names *processes;
    const struct names *workers; /* those that need a lease */
    int64_t total, look_left;
    size_t came;
    struct entry *entries; /* the oldest RUNNING_MAX, and what comes on top */
    size_t n, room;
};

static int by_start(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->started_at != y->started_at)
        return x->started_at < y->started_at ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

static void keep_oldest(struct search *f)
{
    if (!f->entries)
        return;
    qsort(f->entries, f->n, sizeof *f->entries, by_start);
    while (f->n > RUNNING_MAX)
        free(f->entries[--f->n].report);
}

static int make_room(struct search *f, size_t more)
{
    if (f->entries && f->n + more <= f->room)
        return 0;
    size_t room = f->n + more + RUNNING_MAX;
    struct entry *entries = realloc(f->entries, room * sizeof *entries);
    if (!entries)
        return -ENOMEM;
    f->entries = entries;
    f->room = room;
    return 0;
}

static int add_jobs(struct search *f, const struct reply *reply, size_t first)
{
    size_t parts = reply_count(reply);
    if (make_room(f, parts / JOB_PARTS) != 0)
        return -ENOMEM;
    for (size_t i = HEAD; i + JOB_PARTS <= parts; i += JOB_PARTS) {
        size_t process = first + (size_t)reply_int(reply_at(reply, i)) - 1;
        struct slice start = reply_str(reply_at(reply, i + 1));
        struct slice report = reply_str(reply_at(reply, i + 2));
        char *copy = malloc(report.n + 1);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, report.n ? report.p : "", report.n);
        f->entries[f->n++] = (struct entry){
            .started_at = start.n ? reply_real(reply_at(reply, i + 1)) : INFINITY,
            .worker = process < f->processes->n ? f->processes->name[process] : "",
            .at = f->came++,
            .report = copy,
            .n = report.n,
        };
    }
    return 0;
}

/* Some processes from `first` on; *ret_done: how many. */
static int look_at_some(struct search *f, size_t first, size_t *ret_done, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    size_t end = first + PROCESSES_PER_CALL;
    script_begin(&call, &script_running, 0);
    command_text(&call.cmd, f->s->prefix);
    command_add(&call.cmd, store_key(f->s, KEY_LEASE_PREFIX));
    command_int(&call.cmd, f->look_left < LOOK_PER_CALL ? f->look_left : LOOK_PER_CALL);
    if (f->entries && f->n == RUNNING_MAX && isfinite(f->entries[RUNNING_MAX - 1].started_at))
        command_printf(&call.cmd, "%.6f", f->entries[RUNNING_MAX - 1].started_at);
    else
        command_text(&call.cmd, "");
    command_int(&call.cmd, RUNNING_BYTES);
    for (size_t i = first; i < end && i < f->processes->n; i++) {
        command_text(&call.cmd, f->processes->name[i]);
        command_text(&call.cmd, names_have(f->workers, f->processes->name[i]) ? "1" : "0");
    }
    int rc = script_run(f->c, &call, &reply, err);
    if (rc == 0 && reply_int(reply_at(reply, DONE)) <= 0)
        rc = err_set(err, -EPROTO, "running: an odd answer");
    if (rc == 0) {
        *ret_done = (size_t)reply_int(reply_at(reply, DONE));
        f->total += reply_int(reply_at(reply, TOTAL));
        int64_t looked = reply_int(reply_at(reply, LOOKED));
        f->look_left = looked < f->look_left ? f->look_left - looked : 0;
        rc = add_jobs(f, reply, first);
        if (rc != 0)
            (void)err_set(err, rc, "%s", err_phrase(rc)); /* the code is kept in rc */
        keep_oldest(f);
    }
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

/* ---- as JSON ---- */

static void put_or_null(struct buf *out, const char *name, struct slice json)
{
    buf_printf(out, "\"%s\":", name);
    buf_put(out, json.n ? json : slice_of("null"));
    buf_putc(out, ',');
}

static void put_entry(struct buf *out, const struct entry *e)
{
    struct report report;
    struct buf decoded = {0};
    report_read((struct slice){e->report, e->n}, &decoded, &report);
    buf_putc(out, '{');
    put_or_null(out, "jid", report.jid);
    put_or_null(out, "class", report.klass);
    put_or_null(out, "queue", report.queue);
    buf_puts(out, "\"worker\":");
    json_put_string(out, slice_of(e->worker), SIZE_MAX);
    buf_puts(out, ",\"started_at\":");
    if (isfinite(e->started_at))
        job_put_time(out, e->started_at);
    else
        buf_puts(out, "null");
    if (report.job.n > 0) {
        buf_puts(out, ",\"job\":");
        buf_put(out, report.job);
    }
    buf_putc(out, '}');
    buf_release(&decoded);
}

static int put_all(const struct search *f, struct running *ret, struct err *err)
{
    struct running r = {.total = f->total};
    for (; r.n < f->n; r.n++) {
        if (r.n > 0)
            buf_putc(&r.text, ',');
        put_entry(&r.text, &f->entries[r.n]);
        r.end[r.n] = r.text.n;
    }
    int rc = buf_error(&r.text);
    if (rc == 0)
        *ret = r;
    else
        running_release(&r);
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

int store_running(const struct store *s, struct redis_conn *c, struct running *ret, struct err *err)
{
    enum { PROCESSES, WORKERS };
    struct questions sets = {.c = c};
    struct names processes = {0}, workers = {0};
    struct search f = {.s = s,
                       .c = c,
                       .processes = &processes,
                       .workers = &workers,
                       .look_left = RUNNING_LOOK_MAX};
    question_ask_key(&sets, "SMEMBERS", store_key(s, KEY_PROCESSES));
    question_ask_key(&sets, "SMEMBERS", store_key(s, KEY_WORKERS));
    int rc = questions_read(&sets, err);
    if (rc == 0)
        rc = names_of(question_answer(&sets, PROCESSES), NULL, &processes, err);
    if (rc == 0)
        rc = names_of(question_answer(&sets, WORKERS), NULL, &workers, err);
    names_cut(&processes, INSPECT_PROCESSES_MAX);
    for (size_t at = 0, done = 0; rc == 0 && at < processes.n; at += done)
        rc = look_at_some(&f, at, &done, err);
    if (rc == 0)
        rc = put_all(&f, ret, err);
    for (size_t i = 0; i < f.n; i++)
        free(f.entries[i].report);
    free(f.entries);
    names_release(&processes);
    names_release(&workers);
    questions_release(&sets);
    return rc;
}

void running_release(struct running *r)
{
    buf_release(&r->text);
    *r = (struct running){0};
}

void running_put(struct buf *out, const struct running *r, size_t limit)
{
    size_t n = limit < r->n ? limit : r->n;
    buf_printf(out, "{\"total\":%" PRId64 ",\"jobs\":[", r->total);
    if (n > 0)
        buf_append(out, r->text.p, r->end[n - 1]);
    buf_puts(out, "]}");
}
