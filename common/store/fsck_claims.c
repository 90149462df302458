/* Claims, registries, leases and the set of workers: who holds what, and whether it can be found.
 *
 * Repairs put names back where the ordinary recovery looks, and leave the rest to it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "fsck_run.h"
#include "job/envelope.h"
#include "store/bury.h"

static const struct slice nothing = {"", 0};

/* ---- Orphans: leases and registries of identities that the set does not have ---------------- */

struct asked {
    const char *identity;
    const char *about; /* as fsck_workers.lua has it */
};
enum { BOOK_ORPHAN, BOOK_MEMBER, BOOK_LEASE, BOOK_CLAIMS, BOOK_BEAT };

static int ask_workers(struct fsck *f, const struct asked *asked, size_t n, struct reply **ret,
                       struct err *err)
{
    struct script_call call = {0};
    script_begin(&call, &script_fsck_workers, 1);
    command_add(&call.cmd, store_key(f->s, KEY_WORKERS));
    command_add(&call.cmd, fsck_permission(f));
    command_add(&call.cmd, store_key(f->s, KEY_LEASE_PREFIX));
    command_add(&call.cmd, store_key(f->s, KEY_CLAIMS_PREFIX));
    command_text(&call.cmd, f->s->prefix);
    for (size_t i = 0; i < n; i++) {
        command_text(&call.cmd, asked[i].identity);
        command_text(&call.cmd, asked[i].about);
    }
    int rc = script_run(f->c, &call, ret, err);
    script_call_release(&call);
    return rc;
}

static int check_identity(struct fsck *f, enum key family, const char *identity, struct err *err)
{
    struct reply *reply = NULL;
    const struct asked asked = {identity, family == KEY_LEASE_PREFIX ? "lease" : "registry"};
    int rc = ask_workers(f, &asked, 1, &reply, err);
    const struct reply *book = reply_at(reply, 0);
    if (rc == 0 && reply_int(reply_at(book, BOOK_ORPHAN)) == 1) {
        int64_t claims = reply_int(reply_at(book, BOOK_CLAIMS));
        if (family == KEY_LEASE_PREFIX)
            fsck_report(f, FSCK_ORPHAN_LEASE, slice_of(identity), 1, f->o->repair, nothing,
                        "the worker %s holds a lease and is not in sluice:workers", identity);
        else
            fsck_report(f, FSCK_ORPHAN_REGISTRY, slice_of(identity), 1, f->o->repair, nothing,
                        "the worker %s has no lease, %" PRId64 " claim%s in its registry, and is "
                        "not in sluice:workers",
                        identity, claims, claims == 1 ? "" : "s");
    }
    reply_free(reply);
    return rc;
}

/* ---- Orphaned claims ------------------------------------------------------------------------ */

bool fsck_claim_name(struct slice rest, struct slice *ret_identity, struct slice *ret_seq)
{
    const char *colon = rest.n > 0 ? memrchr(rest.p, ':', rest.n) : NULL;
    if (!colon || colon == rest.p)
        return false;
    struct slice seq = {colon + 1, rest.n - (size_t)(colon + 1 - rest.p)};
    if (seq.n == 0 || seq.n > 19 || seq.p[0] == '0')
        return false;
    for (size_t i = 0; i < seq.n; i++)
        if (seq.p[i] < '0' || seq.p[i] > '9')
            return false;
    *ret_identity = (struct slice){rest.p, (size_t)(colon - rest.p)};
    *ret_seq = seq;
    return true;
}

static int ask_claims(struct fsck *f, struct slice permission, const struct slice *parts, size_t n,
                      struct reply **ret, struct err *err)
{
    struct script_call call = {0};
    script_begin(&call, &script_fsck_claims, 1);
    command_add(&call.cmd, store_key(f->s, KEY_WORKERS));
    command_add(&call.cmd, permission);
    command_add(&call.cmd, store_key(f->s, KEY_CLAIM_PREFIX));
    command_add(&call.cmd, store_key(f->s, KEY_CLAIMS_PREFIX));
    for (size_t i = 0; i < n; i++)
        command_add(&call.cmd, parts[i]);
    int rc = script_run(f->c, &call, ret, err);
    script_call_release(&call);
    return rc;
}

/* What lies in a claim: jobs, and the queue that the first which names one came from. */
struct contents {
    uint64_t jobs;
    char queue[JOB_QUEUE_MAX + 1];
};

static int look_into(struct fsck *f, void *ctx, const struct fsck_element *element, struct err *err)
{
    (void)f;
    (void)err;
    struct contents *contents = ctx;
    struct envelope e;
    if (slice_eq(element->payload, store_tombstone()))
        return 0;
    contents->jobs++;
    if (contents->queue[0] || element->large || envelope_parse(element->payload, &e, NULL) != 0)
        return 0;
    if (e.queue && job_queue_name_ok(e.queue))
        (void)snprintf(contents->queue, sizeof contents->queue, "%s", e.queue); /* it fits */
    envelope_release(&e);
    return 0;
}

static int mend_claim(struct fsck *f, struct slice key, struct slice identity, struct slice seq,
                      struct err *err)
{
    struct contents contents = {0};
    const struct fsck_walker walker = {.element = look_into, .ctx = &contents};
    struct reply *reply = NULL;
    int rc = fsck_walk(f, key, &walker, err);
    if (rc != 0)
        return rc;
    const char *queue = contents.queue[0] ? contents.queue : "default";
    const struct slice parts[] = {identity, seq, slice_of(queue)};
    rc = ask_claims(f, fsck_permission(f), parts, 3, &reply, err);
    if (rc == 0 && reply_int(reply_at(reply, 0)) >= 0) /* else it was settled meanwhile */
        fsck_report(f, FSCK_ORPHAN_CLAIM, key, 1, f->o->repair, nothing,
                    "the claim %.*s holds %" PRIu64 " job%s and no registry names it; %s \"%s\"",
                    (int)key.n, key.p, contents.jobs, contents.jobs == 1 ? "" : "s",
                    contents.queue[0] ? "its jobs say that they are of the queue"
                                      : "its queue is forgotten, so that is taken to be",
                    queue);
    reply_free(reply);
    return rc;
}

static int check_claims(struct fsck *f, const struct reply *keys, struct err *err)
{
    struct slice parts[3 * FSCK_CHUNK], key[FSCK_CHUNK], rest;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < reply_count(keys)) {
        size_t n = 0;
        struct reply *reply = NULL;
        for (; at < reply_count(keys) && n < FSCK_CHUNK; at++) {
            key[n] = reply_str(reply_at(keys, at));
            const struct fsck_family *family = fsck_family_of(f->s, key[n], &rest);
            if (family && family->key == KEY_CLAIM_PREFIX &&
                fsck_claim_name(rest, &parts[3 * n], &parts[3 * n + 1]))
                parts[3 * n++ + 2] = nothing;
        }
        if (n > 0)
            rc = ask_claims(f, slice_of("0"), parts, 3 * n, &reply, err);
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (reply_int(reply_at(reply, i)) > 0)
                rc = mend_claim(f, key[i], parts[3 * i], parts[3 * i + 1], err);
        reply_free(reply);
    }
    return rc;
}

/* One page of keys: what belongs to workers is checked, the names of queues are kept. */
int fsck_books(struct fsck *f, const struct reply *keys, struct err *err)
{
    struct slice rest;
    int rc = check_claims(f, keys, err);
    for (size_t i = 0; rc == 0 && i < reply_count(keys); i++) {
        struct slice key = reply_str(reply_at(keys, i));
        const struct fsck_family *family = fsck_family_of(f->s, key, &rest);
        switch (family ? family->key : KEY_COUNT) {
        case KEY_QUEUE_PREFIX:
            rc = fsck_names_add(&f->queues, rest, err);
            break;
        case KEY_TRIAL_PREFIX:
            rc = fsck_names_add(&f->trials, rest, err);
            break;
        case KEY_CLAIMS_PREFIX:
        case KEY_LEASE_PREFIX: {
            struct fsck_names one = {0};
            rc = fsck_names_add(&one, rest, err);
            if (rc == 0)
                rc = check_identity(f, family->key, one.name[0], err);
            fsck_names_release(&one);
            break;
        }
        case KEY_QUARANTINE_PREFIX:
            f->quarantined++;
            break;
        default:
            break;
        }
    }
    return rc;
}

/* ---- Dead workers --------------------------------------------------------------------------- */

enum { PING_MS = 100, RECENT_S = 30, CALM_TRIES = 5 };

struct dead_worker {
    char *identity;
    uint64_t claims;
    double silent_s; /* since its last report; < 0: unknown, that is a minute at least */
};

/* Watches Redis until it has answered quickly for a full lease: if it had stood still, the leases
 * of all would have lapsed, and those who live would come back within that time. The same rule as
 * in worker/reaper.c. */
static int wait_until_calm(struct fsck *f, struct err *err)
{
    const int64_t lease_ns = (int64_t)(f->o->lease_s * (double)NS_PER_S);
    int tries = CALM_TRIES;
    int64_t began = clock_now_ns();
    for (;;) {
        int64_t sent = clock_now_ns();
        int rc = redis_callf(f->c, NULL, err, "PING");
        if (rc != 0)
            return rc;
        int64_t now = clock_now_ns();
        if (now - sent > lease_ns / 4) {
            if (--tries == 0)
                return err_set(err, -EAGAIN, "Redis answers too slowly to tell who is dead");
            began = now;
        }
        fsck_progress(f, "watching", (uint64_t)((now - began) / NS_PER_MS),
                      (uint64_t)(lease_ns / NS_PER_MS));
        if (now - began >= lease_ns)
            return 0;
        (void)usleep(PING_MS * 1000); /* cut short by a signal: no harm */
    }
}

/* Gives back what it holds. *ret_done: nothing is left, or it lives after all. */
static int recover(struct fsck *f, const char *identity, uint64_t *ret_moved, bool *ret_done,
                   struct err *err)
{
    struct recovered got;
    enum recover_state state;
    bool buried;
    do {
        double now = 0;
        buried = false;
        int rc = store_time(f->c, &now, err);
        if (rc == 0)
            rc = store_recover(f->s, f->c, identity, now + f->o->lease_s / 4,
                               f->o->max_payload > 0 ? f->o->max_payload : INT64_MAX, &got, err);
        if (rc != 0)
            return rc;
        *ret_moved += got.moved;
        state = got.state;
        for (size_t i = 0; rc == 0 && i < got.nsuspects; i++) {
            struct suspect suspect = recovered_suspect(&got, i);
            bool one = false;
            rc = store_bury(f->s, f->c, identity, &suspect, now, (int64_t)f->o->stream_ttl_s, &one,
                            err);
            buried = buried || one;
        }
        reply_free(got.reply);
        if (rc != 0)
            return rc;
    } while (state == RECOVER_MORE || buried);
    *ret_done = state == RECOVER_DONE || state == RECOVER_ALIVE;
    return 0;
}

static int end_dead(struct fsck *f, const struct dead_worker *dead, int live, struct err *err)
{
    uint64_t moved = 0;
    bool done = false;
    int rc = f->o->repair ? recover(f, dead->identity, &moved, &done, err) : 0;
    if (rc != 0)
        return rc;
    char since[64] = "for a minute at least";
    char others[64] = "no worker is alive";
    if (dead->silent_s >= 0)
        (void)snprintf(since, sizeof since, "since its last report %.0f s ago", dead->silent_s);
    if (live > 0)
        (void)snprintf(others, sizeof others, "%d live worker%s not recovered it", live,
                       live == 1 ? " has" : "s have");
    fsck_report(f, FSCK_DEAD_WORKER, slice_of(dead->identity), 1, done, nothing,
                "the worker %s holds %" PRIu64 " claim%s without a lease %s, and %s",
                dead->identity, dead->claims, dead->claims == 1 ? "" : "s", since, others);
    return 0;
}

/* Those of a chunk of members that have no lease. */
static int gather_dead(struct fsck *f, const struct fsck_names *members, size_t from, size_t to,
                       struct dead_worker *dead, size_t *n, int *live, double now, struct err *err)
{
    struct asked asked[FSCK_CHUNK] = {0};
    struct reply *reply = NULL;
    for (size_t i = from; i < to; i++)
        asked[i - from] = (struct asked){members->name[i], ""};
    int rc = ask_workers(f, asked, to - from, &reply, err);
    for (size_t i = from; rc == 0 && i < to; i++) {
        const struct reply *book = reply_at(reply, i - from);
        double beat = reply_real(reply_at(book, BOOK_BEAT));
        *live += reply_int(reply_at(book, BOOK_LEASE)) == 1;
        if (reply_int(reply_at(book, BOOK_LEASE)) == 0 &&
            reply_int(reply_at(book, BOOK_MEMBER)) == 1)
            dead[(*n)++] = (struct dead_worker){
                .identity = members->name[i],
                .claims = (uint64_t)reply_int(reply_at(book, BOOK_CLAIMS)),
                .silent_s = beat > 0 ? (now > beat ? now - beat : 0) : -1,
            };
    }
    reply_free(reply);
    return rc;
}

/* One that has died a moment ago is the business of those who live. */
static size_t leave_dying(struct fsck *f, struct dead_worker *dead, size_t n, int live)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (live > 0 && dead[i].silent_s >= 0 && dead[i].silent_s < RECENT_S + f->o->lease_s)
            fsck_report(f, FSCK_DYING_WORKER, slice_of(dead[i].identity), 1, 0, nothing,
                        "the worker %s has no lease, and has reported %.0f s ago", dead[i].identity,
                        dead[i].silent_s);
        else
            dead[kept++] = dead[i];
    }
    return kept;
}

int fsck_dead_workers(struct fsck *f, struct err *err)
{
    struct fsck_names members = {0};
    struct questions q = {.c = f->c};
    struct dead_worker *dead = NULL;
    size_t n = 0;
    int live = 0;
    question_ask_key(&q, "SMEMBERS", store_key(f->s, KEY_WORKERS));
    question_ask(&q, "TIME");
    int rc = questions_read(&q, err);
    const struct reply *set = question_answer(&q, 0);
    for (size_t i = 0; rc == 0 && i < reply_count(set); i++)
        rc = fsck_names_add(&members, reply_str(reply_at(set, i)), err);
    double now = question_time(question_answer(&q, 1));
    if (rc == 0 && !(dead = calloc(members.n ? members.n : 1, sizeof *dead)))
        rc = err_set(err, -ENOMEM, "no memory for %zu workers", members.n);
    for (size_t i = 0; rc == 0 && i < members.n; i += FSCK_CHUNK)
        rc = gather_dead(f, &members, i, i + FSCK_CHUNK < members.n ? i + FSCK_CHUNK : members.n,
                         dead, &n, &live, now, err);
    if (rc == 0)
        n = leave_dying(f, dead, n, live);
    if (rc == 0 && n > 0 && f->o->repair)
        rc = wait_until_calm(f, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = end_dead(f, &dead[i], live, err);
    free(dead);
    fsck_names_release(&members);
    questions_release(&q);
    return rc;
}
