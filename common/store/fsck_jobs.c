/* Tracked jobs that are said to run on a worker that is gone, and that lie nowhere.
 *
 * A job whose worker died is in a queue, in a claim, in retry, in the schedule, on trial or dead;
 * so suspects are struck off as their jids are met in these. Jobs move meanwhile: what is left is
 * looked for a second time, and its hash asked once more, before it is reported. */
#include <inttypes.h>
#include <stdlib.h>

#include "fsck_run.h"
#include "job/envelope.h"

/* ---- Suspects ------------------------------------------------------------------------------- */

/* Which of these jids have a hash that says so: 1 or 0 for each. */
static int ask_jobs(struct fsck *f, const struct slice *jids, size_t n, struct reply **ret,
                    struct err *err)
{
    struct script_call call = {0};
    script_begin(&call, &script_fsck_jobs, 1);
    command_add(&call.cmd, store_key(f->s, KEY_WORKERS));
    command_add(&call.cmd, store_key(f->s, KEY_JOB_PREFIX));
    command_add(&call.cmd, store_key(f->s, KEY_LEASE_PREFIX));
    for (size_t i = 0; i < n; i++)
        command_add(&call.cmd, jids[i]);
    int rc = script_run(f->c, &call, ret, err);
    script_call_release(&call);
    return rc;
}

static int suspect(struct fsck *f, struct slice jid, struct err *err)
{
    if (f->nsuspects == FSCK_SUSPECTS_MAX) {
        f->suspects_beyond++;
        return 0;
    }
    if (!f->suspects && !(f->suspects = calloc(FSCK_SUSPECTS_MAX, sizeof *f->suspects)))
        return err_set(err, -ENOMEM, "no memory for %d jobs", FSCK_SUSPECTS_MAX);
    char *copy = strndup(jid.p, jid.n);
    if (!copy)
        return err_set(err, -ENOMEM, "no memory for a jid");
    f->suspects[f->nsuspects++].jid = copy;
    return 0;
}

int fsck_job_hashes(struct fsck *f, const struct reply *keys, struct err *err)
{
    struct slice jids[FSCK_CHUNK], rest;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < reply_count(keys)) {
        size_t n = 0;
        struct reply *reply = NULL;
        for (; at < reply_count(keys) && n < FSCK_CHUNK; at++) {
            const struct fsck_family *family =
                fsck_family_of(f->s, reply_str(reply_at(keys, at)), &rest);
            if (family && family->key == KEY_JOB_PREFIX)
                jids[n++] = rest;
        }
        if (n > 0)
            rc = ask_jobs(f, jids, n, &reply, err);
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (reply_int(reply_at(reply, i)) == 1)
                rc = suspect(f, jids[i], err);
        reply_free(reply);
    }
    return rc;
}

static int by_jid(const void *a, const void *b)
{
    return strcmp(((const struct fsck_suspect *)a)->jid, ((const struct fsck_suspect *)b)->jid);
}

void fsck_jobs_sort(struct fsck *f)
{
    if (f->nsuspects > 0)
        qsort(f->suspects, f->nsuspects, sizeof *f->suspects, by_jid);
}

void fsck_jobs_seen(struct fsck *f, const char *jid)
{
    const struct fsck_suspect wanted = {.jid = (char *)jid};
    struct fsck_suspect *found =
        f->nsuspects > 0 ? bsearch(&wanted, f->suspects, f->nsuspects, sizeof *f->suspects, by_jid)
                         : NULL;
    if (found)
        found->seen = true;
}

/* ---- Looking everywhere --------------------------------------------------------------------- */

static int look(struct fsck *f, void *ctx, const struct fsck_element *e, struct err *err)
{
    (void)ctx;
    (void)err;
    struct envelope envelope;
    if (!e->large && envelope_parse(e->payload, &envelope, NULL) == 0) {
        fsck_jobs_seen(f, envelope.jid);
        envelope_release(&envelope);
    }
    return 0;
}

static const struct fsck_walker looker = {.element = look};

static int look_in_lists(struct fsck *f, const struct reply *keys, struct err *err)
{
    struct slice rest;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < reply_count(keys); i++) {
        struct slice key = reply_str(reply_at(keys, i));
        const struct fsck_family *family = fsck_family_of(f->s, key, &rest);
        if (family && (family->key == KEY_CLAIM_PREFIX || family->key == KEY_TRIAL_PREFIX ||
                       family->key == KEY_QUEUE_PREFIX))
            rc = fsck_walk(f, key, &looker, err);
    }
    return rc;
}

static uint64_t count_unseen(const struct fsck *f)
{
    uint64_t n = 0;
    for (size_t i = 0; i < f->nsuspects; i++)
        n += !f->suspects[i].seen;
    return n;
}

static int look_everywhere(struct fsck *f, struct err *err)
{
    static const enum key sets[] = {KEY_SCHEDULE, KEY_RETRY, KEY_DEAD};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof sets / sizeof sets[0]; i++)
        rc = fsck_walk(f, store_key(f->s, sets[i]), &looker, err);
    return rc == 0 ? fsck_each_page(f, "jobs", "", look_in_lists, err) : rc;
}

/* Strikes off those whose hash says something else by now. */
static int ask_again(struct fsck *f, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->nsuspects; i++) {
        struct reply *reply = NULL;
        const struct slice jid = slice_of(f->suspects[i].jid);
        if (f->suspects[i].seen)
            continue;
        rc = ask_jobs(f, &jid, 1, &reply, err);
        f->suspects[i].seen = reply_int(reply_at(reply, 0)) != 1;
        reply_free(reply);
    }
    return rc;
}

int fsck_jobs(struct fsck *f, struct err *err)
{
    int rc = 0;
    for (int round = 0; rc == 0 && round < 2 && count_unseen(f) > 0; round++)
        rc = look_everywhere(f, err);
    if (rc == 0)
        rc = ask_again(f, err);
    uint64_t lost = count_unseen(f);
    if (rc != 0 || lost == 0)
        return rc;
    size_t first = 0;
    while (f->suspects[first].seen)
        first++;
    fsck_report(f, FSCK_LOST_JOB, store_key(f->s, KEY_JOB_PREFIX), lost, 0,
                slice_of(f->suspects[first].jid),
                "%" PRIu64 " tracked job%s said to run on a worker that is gone, and %s nowhere%s",
                lost, lost == 1 ? " is" : "s are", lost == 1 ? "lies" : "lie",
                f->suspects_beyond > 0 ? " (and there were more than could be looked for)" : "");
    return 0;
}
