/*
 * One run of fsck: what its parts share. Private to the store.
 *
 *   fsck.c           the order, the pages of the key space, the report
 *   fsck_rules.c     what is said about each kind of finding
 *   fsck_types.c     names and types of keys; times to live; the set `queues`
 *   fsck_claims.c    claims, registries, leases, dead workers
 *   fsck_walk.c      the pages of a list or a set
 *   fsck_elements.c  what lies in queues, trials, schedule and retry
 *   fsck_jobs.c      tracked jobs that are said to run and are nowhere
 */
#ifndef SLUICE_STORE_FSCK_RUN_H
#define SLUICE_STORE_FSCK_RUN_H

#include "base/buf.h"
#include "questions.h"
#include "scripts.h"
#include "store/fsck.h"

enum { FSCK_CHUNK = 100 }; /* things per script call */

enum fsck_rule {
    FSCK_WRONG_TYPE,
    FSCK_NO_TTL,
    FSCK_UNSEEN_QUEUE,
    FSCK_ORPHAN_CLAIM,
    FSCK_ORPHAN_REGISTRY,
    FSCK_ORPHAN_LEASE,
    FSCK_DEAD_WORKER,
    FSCK_DYING_WORKER,
    FSCK_IDLE_TRIAL,
    FSCK_NO_JOB,
    FSCK_BAD_SCORE,
    FSCK_NEVER_DUE,
    FSCK_LOST_JOB,
    FSCK_QUARANTINE,
    FSCK_RULES
};
struct fsck_text {
    const char *code, *why, *remedy;
    bool repairable;
};
extern const struct fsck_text fsck_texts[FSCK_RULES];

/* Names, growing. */
struct fsck_names {
    char **name;
    size_t n, cap;
};
int fsck_names_add(struct fsck_names *names, struct slice name, struct err *err) warn_unused_result;
void fsck_names_release(struct fsck_names *names);

/* A kind of key, by how its name begins. */
struct fsck_family {
    enum key key;
    bool whole;       /* the name is the key's, not its beginning */
    const char *type; /* as fsck_type.lua has it; NULL: any */
};
/* The family of a key, with what comes after the beginning in *ret_rest; NULL: none of ours. */
const struct fsck_family *fsck_family_of(const struct store *s, struct slice key,
                                         struct slice *ret_rest);

/* Identity and number of a claim, out of what follows the prefix of claims; false when no worker
 * makes such names. */
bool fsck_claim_name(struct slice rest, struct slice *ret_identity, struct slice *ret_seq);

/* A jid that may belong to a job that is nowhere. */
struct fsck_suspect {
    char *jid;
    bool seen; /* it lies somewhere */
};

struct fsck {
    const struct store *s;
    struct redis_conn *c;
    const struct fsck_options *o;
    struct fsck_result result;
    struct fsck_names queues, trials; /* names of those that have a list */
    struct fsck_suspect *suspects;    /* sorted by jid once all are there */
    size_t nsuspects;
    uint64_t suspects_beyond; /* that there was no room for */
    uint64_t without_ttl[KEY_COUNT], ttl_set[KEY_COUNT];
    struct buf ttl_sample[KEY_COUNT];
    uint64_t quarantined;
};

static inline struct slice fsck_permission(const struct fsck *f)
{
    return slice_of(f->o->repair ? "1" : "0");
}

/* Reports a finding of count things, of which `repaired` are repaired. */
void fsck_report(struct fsck *f, enum fsck_rule rule, struct slice key, uint64_t count,
                 uint64_t repaired, struct slice sample, const char *fmt, ...) printf_like(7, 8);
void fsck_progress(const struct fsck *f, const char *stage, uint64_t done, uint64_t total);

/* Visits the keys of this prefix (with `beginning` after it), page by page. */
typedef int fsck_visit_keys(struct fsck *f, const struct reply *keys, struct err *err);
int fsck_each_page(struct fsck *f, const char *stage, const char *beginning, fsck_visit_keys *visit,
                   struct err *err) warn_unused_result;

/* An element of a list or a sorted set. */
struct fsck_element {
    struct slice payload; /* empty when `large` */
    uint64_t large;       /* its length, when that is above max_payload; else 0 */
    struct slice score;   /* as Redis writes it; empty in a list */
    uint64_t index;       /* in a list */
};
struct fsck_walker {
    int (*element)(struct fsck *f, void *ctx, const struct fsck_element *e, struct err *err);
    /* May take elements out: *ret_gone of them lay in this page or before. May be NULL. */
    int (*page_end)(struct fsck *f, void *ctx, uint64_t *ret_gone, struct err *err);
    void *ctx;
};
int fsck_walk(struct fsck *f, struct slice key, const struct fsck_walker *walker,
              struct err *err) warn_unused_result;

/* The parts, in their order. */
int fsck_types(struct fsck *f, const struct reply *keys, struct err *err) warn_unused_result;
int fsck_books(struct fsck *f, const struct reply *keys, struct err *err) warn_unused_result;
int fsck_lifetimes(struct fsck *f, const struct reply *keys, struct err *err) warn_unused_result;
void fsck_report_lifetimes(struct fsck *f);
int fsck_unseen_queues(struct fsck *f, struct err *err) warn_unused_result;
int fsck_dead_workers(struct fsck *f, struct err *err) warn_unused_result;
int fsck_trials(struct fsck *f, struct err *err) warn_unused_result;
int fsck_elements(struct fsck *f, struct err *err) warn_unused_result;
int fsck_job_hashes(struct fsck *f, const struct reply *keys, struct err *err) warn_unused_result;
void fsck_jobs_sort(struct fsck *f);
void fsck_jobs_seen(struct fsck *f, const char *jid);
int fsck_jobs(struct fsck *f, struct err *err) warn_unused_result;

#endif
