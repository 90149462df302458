/*
 * fsck: the books in Redis against the rules of docs/KEYS.md and docs/LIFECYCLE.md.
 *
 * Why it is needed at all: every transition is one script, so Sluice itself leaves no such traces.
 * People, other clients, restored backups and lost tails of an append-only file do.
 *
 * Model. Everything is read in pages (SCAN, ZSCAN, LRANGE), so that neither Redis nor this process
 * is ever occupied by one call, however large the instance is. What a page makes suspicious is
 * looked at again by one script before it is reported, and a repair is the same script with
 * permission to write: it checks the condition again, in the same instant. So live workers cause no
 * false findings, and a repair never acts on what has changed meanwhile. Nothing is deleted: what
 * is no job goes to `dead`, and a key of the wrong type is renamed.
 *
 * Rejected: taking orphaned claims back by a script of our own. They are put back into the registry
 * instead, and then the one recovery that is tested does the rest.
 *
 * A key space that is rehashed while it is scanned may show a key twice; it is then counted twice.
 *
 * Threads: none. Blocking: many round trips; with repair, and when workers are dead, also one lease
 * of watching that it was they who stopped and not Redis. Memory: a page (4 MiB, or one job), the
 * names of queues, and up to FSCK_SUSPECTS_MAX jids. Errors: those of the connection and of Redis;
 * what was repaired until then stays so. All of it may be repeated.
 */
#ifndef SLUICE_STORE_FSCK_H
#define SLUICE_STORE_FSCK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum { FSCK_SUSPECTS_MAX = 10000, FSCK_SAMPLE_MAX = 200 };

enum fsck_state {
    FSCK_LEFT,     /* found, and still there */
    FSCK_REPAIRED, /* found, and repaired */
    FSCK_NOTE      /* worth knowing, and no fault: not counted */
};

struct fsck_finding {
    const char *code; /* "orphan-claim": constant, for programs */
    enum fsck_state state;
    const char *what;   /* sentences for people, without a full stop at their end: what and where */
    const char *why;    /* why it matters */
    const char *remedy; /* what repair does, or what a person can do */
    bool repairable;    /* remedy is what repair does */
    struct slice key;   /* where; may hold any bytes */
    uint64_t count;     /* how many of it */
    struct slice sample; /* one of them, cut; may hold any bytes, may be empty */
};

struct fsck_options {
    bool repair;
    int64_t max_payload; /* bytes of a job; 0: any */
    double lease_s;      /* of the workers: how long a calm Redis is watched before a recovery */
    double stream_ttl_s; /* for streams and job hashes that have no time to live */
    /* Each may be NULL. A finding borrows for the call. progress: stage is a constant word, total 0
     * when it is unknown; called often. */
    void (*finding)(void *ctx, const struct fsck_finding *finding);
    void (*progress)(void *ctx, const char *stage, uint64_t done, uint64_t total);
    void *ctx;
};

struct fsck_result {
    uint64_t keys;     /* looked at, of all in the database */
    uint64_t elements; /* of queues, trials, schedule and retry */
    uint64_t found;    /* findings, without notes */
    uint64_t repaired; /* of these */
};

/* The whole check. 0 and the result, however much was found; else what kept it from its end. */
int store_fsck(const struct store *s, struct redis_conn *c, const struct fsck_options *o,
               struct fsck_result *ret, struct err *err) warn_unused_result;

#endif
