/* What lies in queues, on trial, in schedule and in retry: jobs, with times that will come? */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "fsck_run.h"
#include "job/envelope.h"

static const struct slice nothing = {"", 0};
static const double milliseconds_from = 1e11; /* as in job/envelope.h */

/* One kind of finding in one key, and what of it the page at hand has. */
struct tally {
    struct script_call call; /* begun when pending > 0 */
    uint64_t pending, found, mended;
    struct buf sample;
    struct err reason; /* of the first */
};

struct inspection {
    struct slice key;
    struct tally no_job, never_due, bad_score;
};

static void keep_sample(struct tally *t, struct slice payload, const struct err *reason)
{
    if (t->sample.n > 0 || t->reason.text[0])
        return;
    buf_put(&t->sample,
            (struct slice){payload.p, payload.n < FSCK_SAMPLE_MAX ? payload.n : FSCK_SAMPLE_MAX});
    if (reason)
        t->reason = *reason;
}

/* ---- Adding to the script calls of a page --------------------------------------------------- */

static void add_burial(struct fsck *f, struct inspection *in, struct tally *t,
                       const struct fsck_element *e)
{
    struct command *cmd = &t->call.cmd;
    if (t->pending++ == 0) {
        script_begin(&t->call, &script_fsck_bury, 2);
        command_add(cmd, in->key);
        command_add(cmd, store_key(f->s, KEY_DEAD));
        command_add(cmd, fsck_permission(f));
        command_int(cmd, f->o->max_payload);
    }
    if (e->score.n > 0)
        command_add(cmd, e->score);
    else
        command_int(cmd, (int64_t)e->index);
    command_add(cmd, e->payload);
    command_text(cmd, e->large ? "1" : "0");
}

static void add_rescore(struct fsck *f, struct inspection *in, const struct fsck_element *e,
                        double score)
{
    struct tally *t = &in->bad_score;
    if (t->pending++ == 0) {
        script_begin(&t->call, &script_fsck_score, 1);
        command_add(&t->call.cmd, in->key);
        command_add(&t->call.cmd, fsck_permission(f));
    }
    while (score > milliseconds_from) /* microseconds, and nanoseconds, too */
        score /= 1000;
    command_add(&t->call.cmd, e->score);
    command_printf(&t->call.cmd, "%.6f", score);
    command_add(&t->call.cmd, e->payload);
}

/* ---- Looking at elements -------------------------------------------------------------------- */

static double score_of(struct slice score)
{
    return score.n > 0 ? strtod(score.p, NULL) : 0; /* replies end with a NUL */
}

static int look(struct fsck *f, void *ctx, const struct fsck_element *e, struct err *err)
{
    struct inspection *in = ctx;
    struct envelope envelope;
    struct err reason = {""};
    f->result.elements++;
    if (e->large) {
        err_set(&reason, 0, "it is %" PRIu64 " bytes long, and worker.max_payload is %" PRId64,
                e->large, f->o->max_payload);
        keep_sample(&in->no_job, nothing, &reason);
        add_burial(f, in, &in->no_job, e);
        return 0;
    }
    int rc = envelope_parse(e->payload, &envelope, &reason);
    if (rc == -ENOMEM)
        return err_set(err, rc, "no memory for a job");
    if (rc != 0) {
        keep_sample(&in->no_job, e->payload, &reason);
        add_burial(f, in, &in->no_job, e);
        return 0;
    }
    if (!envelope.jid_is_new)
        fsck_jobs_seen(f, envelope.jid);
    envelope_release(&envelope);
    double score = score_of(e->score);
    if (isnan(score) || (isinf(score) && score > 0)) { /* minus infinity is due at once */
        keep_sample(&in->never_due, e->payload, NULL);
        add_burial(f, in, &in->never_due, e);
    } else if (score > milliseconds_from) {
        keep_sample(&in->bad_score, e->payload, NULL);
        add_rescore(f, in, e, score);
    }
    return 0;
}

static int flush_burial(struct fsck *f, struct tally *t, uint64_t *gone, struct err *err)
{
    struct reply *reply = NULL;
    if (t->pending == 0)
        return 0;
    int rc = script_run(f->c, &t->call, &reply, err);
    if (rc == 0) {
        t->found += (uint64_t)reply_int(reply_at(reply, 0));
        t->mended += (uint64_t)reply_int(reply_at(reply, 1));
        *gone += (uint64_t)reply_int(reply_at(reply, 1));
    }
    t->pending = 0;
    reply_free(reply);
    return rc;
}

static int flush(struct fsck *f, void *ctx, uint64_t *ret_gone, struct err *err)
{
    struct inspection *in = ctx;
    struct tally *scores = &in->bad_score;
    int rc = flush_burial(f, &in->no_job, ret_gone, err);
    if (rc == 0)
        rc = flush_burial(f, &in->never_due, ret_gone, err);
    if (rc == 0 && scores->pending > 0) {
        struct reply *reply = NULL;
        rc = script_run(f->c, &scores->call, &reply, err);
        scores->found += (uint64_t)reply_int(reply);
        scores->mended += f->o->repair ? (uint64_t)reply_int(reply) : 0;
        scores->pending = 0;
        reply_free(reply);
    }
    return rc;
}

static void report(struct fsck *f, enum fsck_rule rule, const struct inspection *in,
                   const struct tally *t, const char *what)
{
    if (t->found == 0)
        return;
    fsck_report(f, rule, in->key, t->found, t->mended, buf_slice(&t->sample),
                "%" PRIu64 " element%s of %.*s %s%s%s", t->found, t->found == 1 ? "" : "s",
                (int)in->key.n, in->key.p, what, t->reason.text[0] ? "; of the first: " : "",
                t->reason.text);
}

static void release(struct tally *t)
{
    script_call_release(&t->call);
    buf_release(&t->sample);
}

static int inspect(struct fsck *f, struct slice key, struct err *err)
{
    struct inspection in = {.key = key};
    const struct fsck_walker walker = {.element = look, .page_end = flush, .ctx = &in};
    int rc = fsck_walk(f, key, &walker, err);
    if (rc == 0) {
        report(f, FSCK_NO_JOB, &in, &in.no_job, in.no_job.found == 1 ? "is no job" : "are no jobs");
        report(f, FSCK_NEVER_DUE, &in, &in.never_due, "due at infinity");
        report(f, FSCK_BAD_SCORE, &in, &in.bad_score, "due by a score in milliseconds");
    }
    release(&in.no_job);
    release(&in.never_due);
    release(&in.bad_score);
    return rc;
}

static int inspect_named(struct fsck *f, enum key prefix, const char *name, struct err *err)
{
    struct buf key = {0};
    buf_puts(&key, f->s->key[prefix]);
    buf_puts(&key, name);
    int rc = buf_error(&key);
    if (rc != 0)
        (void)err_set(err, rc, "no memory for a name"); /* rc stays */
    else
        rc = inspect(f, buf_slice(&key), err);
    buf_release(&key);
    return rc;
}

int fsck_elements(struct fsck *f, struct err *err)
{
    const uint64_t total = f->queues.n + f->trials.n + 2;
    uint64_t done = 0;
    int rc = inspect(f, store_key(f->s, KEY_SCHEDULE), err);
    if (rc == 0)
        rc = inspect(f, store_key(f->s, KEY_RETRY), err);
    for (size_t i = 0; rc == 0 && i < f->trials.n; i++) {
        fsck_progress(f, "elements", 2 + done++, total);
        rc = inspect_named(f, KEY_TRIAL_PREFIX, f->trials.name[i], err);
    }
    for (size_t i = 0; rc == 0 && i < f->queues.n; i++) {
        fsck_progress(f, "elements", 2 + done++, total);
        rc = inspect_named(f, KEY_QUEUE_PREFIX, f->queues.name[i], err);
    }
    return rc;
}

/* ---- Trials that nobody holds --------------------------------------------------------------- */

static int check_trial(struct fsck *f, const char *queue, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_fsck_trial, 2);
    command_add(&call.cmd, store_key(f->s, KEY_WORKERS));
    store_add_key(&call.cmd, f->s, KEY_TRIAL_PREFIX, queue);
    command_add(&call.cmd, store_key(f->s, KEY_LEASE_PREFIX));
    command_text(&call.cmd, f->s->prefix);
    command_text(&call.cmd, queue);
    int rc = script_run(f->c, &call, &reply, err);
    int64_t waiting = reply_int(reply);
    if (rc == 0 && waiting > 0)
        fsck_report(f, FSCK_IDLE_TRIAL, slice_of(queue), (uint64_t)waiting, 0, nothing,
                    "%" PRId64 " job%s on trial for the queue \"%s\", which no live worker serves",
                    waiting, waiting == 1 ? " waits" : "s wait", queue);
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

int fsck_trials(struct fsck *f, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->trials.n; i++)
        rc = check_trial(f, f->trials.name[i], err);
    return rc;
}
