/* Names and types of keys, times to live, and the set `queues`. */
#include <inttypes.h>
#include <stdio.h>

#include "fsck_run.h"

static const struct fsck_family families[] = {
    {KEY_QUEUES, true, "set"},
    {KEY_SCHEDULE, true, "zset"},
    {KEY_RETRY, true, "zset"},
    {KEY_DEAD, true, "zset"},
    {KEY_PAUSED, true, "set"},
    {KEY_PROCESSES, true, "set"},
    {KEY_PROCESSED, false, "integer"}, /* also of each day */
    {KEY_FAILED, false, "integer"},
    {KEY_WORKERS, true, "set"},
    {KEY_CANCELLED, true, "zset"},
    {KEY_QUEUE_PREFIX, false, "list"},
    {KEY_JOB_PREFIX, false, "hash"},
    {KEY_STREAM_PREFIX, false, "list"},
    {KEY_DELIVERY_PREFIX, false, "set"},
    {KEY_TRIAL_PREFIX, false, "list"},
    {KEY_LEASE_PREFIX, false, "string"},
    {KEY_CLAIMS_PREFIX, false, "hash"},
    {KEY_CLAIM_PREFIX, false, "list"},
    {KEY_QUARANTINE_PREFIX, false, NULL},
    {KEY_IDEMPOTENCY_PREFIX, false, "string"},
    {KEY_SENT_PREFIX, false, "string"},
};

/* A key that is named like a claim, and not by a worker: none can be right. */
static const struct fsck_family no_claim = {KEY_CLAIM_PREFIX, false, "nothing"};

const struct fsck_family *fsck_family_of(const struct store *s, struct slice key,
                                         struct slice *ret_rest)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct slice name = store_key(s, families[i].key);
        if (key.n < name.n || memcmp(key.p, name.p, name.n) != 0)
            continue;
        if (families[i].whole && key.n > name.n)
            continue;
        *ret_rest = (struct slice){key.p + name.n, key.n - name.n};
        return &families[i];
    }
    return NULL;
}

/* ---- Types ---------------------------------------------------------------------------------- */

/* A type as people call it. */
static struct slice name_of(struct slice type)
{
    return slice_is(type, "integer") ? slice_of("number")
           : slice_is(type, "zset")  ? slice_of("sorted set")
                                     : type;
}

/* Looks again, repairs and reports. */
static int check_type(struct fsck *f, const struct fsck_family *family, struct slice key,
                      struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    struct slice name = {key.p + strlen(f->s->prefix), key.n - strlen(f->s->prefix)};
    struct buf aside = {0};
    double now = 0;
    int rc = store_time(f->c, &now, err);
    buf_puts(&aside, f->s->key[KEY_QUARANTINE_PREFIX]);
    buf_put(&aside, name);
    buf_printf(&aside, ":%.0f", now * 1000);
    if (rc == 0 && buf_error(&aside) != 0)
        rc = err_set(err, -ENOMEM, "no memory for a name");
    if (rc == 0) {
        script_begin(&call, &script_fsck_type, 2);
        command_add(&call.cmd, key);
        command_add(&call.cmd, buf_slice(&aside));
        command_text(&call.cmd, family->type);
        command_add(&call.cmd, fsck_permission(f));
        rc = script_run(f->c, &call, &reply, err);
    }
    struct slice found = reply_str(reply_at(reply, 0));
    if (rc == 0 && found.n > 0) {
        char wanted[64] = "is named like a claim, and no worker names one so";
        struct slice is = name_of(found), should = name_of(slice_of(family->type));
        if (family != &no_claim)
            (void)snprintf(wanted, sizeof wanted, "should be a %.*s", (int)should.n, should.p);
        fsck_report(f, FSCK_WRONG_TYPE, key, 1, (uint64_t)reply_int(reply_at(reply, 1)),
                    (struct slice){"", 0}, "the key %.*s is a %.*s, and %s", (int)key.n, key.p,
                    (int)is.n, is.p, wanted);
    }
    reply_free(reply);
    script_call_release(&call);
    buf_release(&aside);
    return rc;
}

int fsck_types(struct fsck *f, const struct reply *keys, struct err *err)
{
    struct questions q = {.c = f->c};
    struct slice rest;
    for (size_t i = 0; i < reply_count(keys); i++)
        question_ask_key(&q, "TYPE", reply_str(reply_at(keys, i)));
    int rc = questions_read(&q, err);
    for (size_t i = 0; rc == 0 && i < reply_count(keys); i++) {
        struct slice key = reply_str(reply_at(keys, i)), type = reply_str(question_answer(&q, i));
        const struct fsck_family *family = fsck_family_of(f->s, key, &rest);
        struct slice identity, seq;
        if (family && family->key == KEY_CLAIM_PREFIX && !fsck_claim_name(rest, &identity, &seq))
            rc = check_type(f, &no_claim, key, err);
        else if (family && family->type && !slice_is(type, family->type))
            rc = check_type(f, family, key, err); /* an integer is a string: always looked at */
    }
    questions_release(&q);
    return rc;
}

/* ---- Times to live -------------------------------------------------------------------------- */

/* Milliseconds that keys of a family live; 0: they stay. */
static int64_t lifetime_ms(const struct fsck *f, enum key key)
{
    switch (key) {
    case KEY_JOB_PREFIX:
    case KEY_STREAM_PREFIX:
        return (int64_t)(f->o->stream_ttl_s * 1000);
    case KEY_DELIVERY_PREFIX:
        return (int64_t)STORE_DELIVERIES_SECONDS * 1000;
    case KEY_LEASE_PREFIX:
        return (int64_t)(f->o->lease_s * 1000);
    default:
        return 0;
    }
}

static const struct fsck_family *family_at(enum key key)
{
    const struct fsck_family *family = families;
    while (family->key != key)
        family++;
    return family;
}

/* All keys of one family that seemed to have none. */
static int check_lifetimes(struct fsck *f, enum key family, const struct fsck_names *suspects,
                           struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    int64_t ms = lifetime_ms(f, family);
    script_begin(&call, &script_fsck_expire, (int)suspects->n);
    for (size_t i = 0; i < suspects->n; i++)
        command_text(&call.cmd, suspects->name[i]);
    command_add(&call.cmd, fsck_permission(f));
    command_int(&call.cmd, ms);
    command_text(&call.cmd, family_at(family)->type);
    int rc = script_run(f->c, &call, &reply, err);
    uint64_t n = (uint64_t)reply_int(reply);
    if (rc == 0 && n > 0) {
        if (f->ttl_sample[family].n == 0)
            buf_puts(&f->ttl_sample[family], suspects->name[0]);
        f->without_ttl[family] += n;
        f->ttl_set[family] += f->o->repair ? n : 0;
    }
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

int fsck_lifetimes(struct fsck *f, const struct reply *keys, struct err *err)
{
    struct questions q = {.c = f->c};
    struct fsck_names suspects[KEY_COUNT] = {0};
    struct slice rest;
    for (size_t i = 0; i < reply_count(keys); i++)
        question_ask_key(&q, "PTTL", reply_str(reply_at(keys, i)));
    int rc = questions_read(&q, err);
    for (size_t i = 0; rc == 0 && i < reply_count(keys); i++) {
        struct slice key = reply_str(reply_at(keys, i));
        const struct fsck_family *family = fsck_family_of(f->s, key, &rest);
        if (family && lifetime_ms(f, family->key) > 0 && reply_int(question_answer(&q, i)) == -1)
            rc = fsck_names_add(&suspects[family->key], key, err);
    }
    questions_release(&q);
    for (int k = 0; k < KEY_COUNT; k++) {
        if (rc == 0 && suspects[k].n > 0)
            rc = check_lifetimes(f, (enum key)k, &suspects[k], err);
        fsck_names_release(&suspects[k]);
    }
    return rc;
}

void fsck_report_lifetimes(struct fsck *f)
{
    for (int k = 0; k < KEY_COUNT; k++)
        if (f->without_ttl[k] > 0)
            fsck_report(f, FSCK_NO_TTL, store_key(f->s, (enum key)k), f->without_ttl[k],
                        f->ttl_set[k], buf_slice(&f->ttl_sample[k]),
                        "%" PRIu64 " key%s of %s* without a time to live", f->without_ttl[k],
                        f->without_ttl[k] == 1 ? "" : "s", f->s->key[k]);
}

/* ---- The set `queues` ----------------------------------------------------------------------- */

static int check_queues(struct fsck *f, size_t from, size_t to, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_fsck_queues, 1);
    command_add(&call.cmd, store_key(f->s, KEY_QUEUES));
    command_add(&call.cmd, fsck_permission(f));
    command_add(&call.cmd, store_key(f->s, KEY_QUEUE_PREFIX));
    for (size_t i = from; i < to; i++)
        command_text(&call.cmd, f->queues.name[i]);
    int rc = script_run(f->c, &call, &reply, err);
    for (size_t i = from; rc == 0 && i < to; i++) {
        int64_t jobs = reply_int(reply_at(reply, i - from));
        const char *name = f->queues.name[i];
        if (jobs > 0)
            fsck_report(f, FSCK_UNSEEN_QUEUE, slice_of(name), 1, f->o->repair ? 1 : 0,
                        (struct slice){"", 0},
                        "the queue \"%s\" has %" PRId64 " job%s and is not in the set `queues`",
                        name, jobs, jobs == 1 ? "" : "s");
    }
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

int fsck_unseen_queues(struct fsck *f, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->queues.n; i += FSCK_CHUNK)
        rc = check_queues(f, i, i + FSCK_CHUNK < f->queues.n ? i + FSCK_CHUNK : f->queues.n, err);
    return rc;
}
