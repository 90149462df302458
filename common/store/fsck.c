#include "store/fsck.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fsck_run.h"

enum { KEYS_PER_PAGE = 500 };

/* ---- The report ----------------------------------------------------------------------------- */

void fsck_report(struct fsck *f, enum fsck_rule rule, struct slice key, uint64_t count,
                 uint64_t repaired, struct slice sample, const char *fmt, ...)
{
    const struct fsck_text *text = &fsck_texts[rule];
    bool note = rule == FSCK_DYING_WORKER || rule == FSCK_QUARANTINE;
    struct err clean; /* no error, but a sentence: without what could drive a terminal */
    va_list ap;
    va_start(ap, fmt);
    (void)err_vset(&clean, 0, fmt, ap); /* returns the code */
    va_end(ap);
    const struct fsck_finding finding = {
        .code = text->code,
        .state = note                ? FSCK_NOTE
                 : repaired >= count ? FSCK_REPAIRED
                                     : FSCK_LEFT,
        .what = clean.text,
        .why = text->why,
        .remedy = text->remedy,
        .repairable = text->repairable,
        .key = key,
        .count = count,
        .sample = {sample.p, sample.n < FSCK_SAMPLE_MAX ? sample.n : FSCK_SAMPLE_MAX},
    };
    f->result.found += note ? 0 : 1;
    f->result.repaired += finding.state == FSCK_REPAIRED;
    if (f->o->finding)
        f->o->finding(f->o->ctx, &finding);
}

void fsck_progress(const struct fsck *f, const char *stage, uint64_t done, uint64_t total)
{
    if (f->o->progress)
        f->o->progress(f->o->ctx, stage, done, total);
}

/* ---- Names ---------------------------------------------------------------------------------- */

int fsck_names_add(struct fsck_names *names, struct slice name, struct err *err)
{
    if (names->n == names->cap) {
        size_t cap = names->cap ? 2 * names->cap : 16;
        char **more = realloc(names->name, cap * sizeof *more);
        if (!more)
            return err_set(err, -ENOMEM, "no memory for %zu names", cap);
        names->name = more;
        names->cap = cap;
    }
    names->name[names->n] = strndup(name.p, name.n);
    if (!names->name[names->n])
        return err_set(err, -ENOMEM, "no memory for a name");
    names->n++;
    return 0;
}

void fsck_names_release(struct fsck_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct fsck_names){0};
}

/* ---- Pages of the key space ----------------------------------------------------------------- */

/* MATCH takes a pattern, and a prefix may hold what means something in one. */
static void put_pattern(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("*?[]\\^-", *text))
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

static int read_page(struct fsck *f, const struct buf *pattern, struct reply **page,
                     struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "SCAN");
    if (*page)
        command_copy(&cmd, reply_str(reply_at(*page, 0)));
    else
        command_text(&cmd, "0");
    command_text(&cmd, "MATCH");
    command_add(&cmd, buf_slice(pattern));
    command_text(&cmd, "COUNT");
    command_int(&cmd, KEYS_PER_PAGE);
    reply_free(*page);
    *page = NULL;
    int rc = redis_call(f->c, &cmd, page, err);
    command_release(&cmd);
    return rc;
}

int fsck_each_page(struct fsck *f, const char *stage, const char *beginning, fsck_visit_keys *visit,
                   struct err *err)
{
    struct buf pattern = {0};
    struct reply *page = NULL, *size = NULL;
    put_pattern(&pattern, f->s->prefix);
    put_pattern(&pattern, beginning);
    buf_putc(&pattern, '*');
    int rc = buf_error(&pattern);
    if (rc != 0)
        (void)err_set(err, rc, "no memory for a pattern"); /* rc stays */
    if (rc == 0)
        rc = redis_callf(f->c, &size, err, "DBSIZE");
    uint64_t done = 0;
    while (rc == 0) {
        rc = read_page(f, &pattern, &page, err);
        if (rc == 0)
            rc = visit(f, reply_at(page, 1), err);
        done += reply_count(reply_at(page, 1));
        fsck_progress(f, stage, done, (uint64_t)reply_int(size));
        if (rc != 0 || slice_is(reply_str(reply_at(page, 0)), "0"))
            break;
    }
    reply_free(page);
    reply_free(size);
    buf_release(&pattern);
    return rc;
}

/* ---- The run -------------------------------------------------------------------------------- */

static int look_at_books(struct fsck *f, const struct reply *keys, struct err *err)
{
    int rc = fsck_books(f, keys, err);
    if (rc == 0)
        rc = fsck_lifetimes(f, keys, err);
    if (rc == 0)
        rc = fsck_job_hashes(f, keys, err);
    f->result.keys += reply_count(keys);
    return rc;
}

static void report_quarantine(struct fsck *f)
{
    if (f->quarantined > 0)
        fsck_report(f, FSCK_QUARANTINE, store_key(f->s, KEY_QUARANTINE_PREFIX), f->quarantined, 0,
                    (struct slice){"", 0}, "%llu key%s in quarantine",
                    (unsigned long long)f->quarantined, f->quarantined == 1 ? "" : "s");
}

/* Types first, since everything else stumbles over wrong ones; claims before dead workers, who own
 * them; and the jobs that are nowhere last, when everything lies where it belongs. */
static int run(struct fsck *f, struct err *err)
{
    int rc = fsck_each_page(f, "types", "", fsck_types, err);
    if (rc == 0)
        rc = fsck_each_page(f, "books", "", look_at_books, err);
    if (rc == 0) {
        fsck_report_lifetimes(f);
        fsck_jobs_sort(f);
        rc = fsck_unseen_queues(f, err);
    }
    if (rc == 0)
        rc = fsck_dead_workers(f, err);
    if (rc == 0)
        rc = fsck_trials(f, err);
    if (rc == 0)
        rc = fsck_elements(f, err);
    if (rc == 0)
        rc = fsck_jobs(f, err);
    if (rc == 0)
        report_quarantine(f);
    return rc;
}

int store_fsck(const struct store *s, struct redis_conn *c, const struct fsck_options *o,
               struct fsck_result *ret, struct err *err)
{
    struct fsck f = {.s = s, .c = c, .o = o};
    int rc = run(&f, err);
    if (rc == 0)
        *ret = f.result;
    fsck_names_release(&f.queues);
    fsck_names_release(&f.trials);
    for (size_t i = 0; i < f.nsuspects; i++)
        free(f.suspects[i].jid);
    free(f.suspects);
    for (int k = 0; k < KEY_COUNT; k++)
        buf_release(&f.ttl_sample[k]);
    return rc;
}
