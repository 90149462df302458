/*
 * Claiming: a slice of a queue becomes a claim of this worker (lua/claim.lua), or one job does by
 * a blocking move.
 *
 * After -ENOTCONN the claim may exist all the same, under the sequence number that was sent:
 * store_claims() finds it, and its jobs are then to be run or given back. Never claim again under
 * the same number.
 */
#ifndef SLUICE_STORE_CLAIM_H
#define SLUICE_STORE_CLAIM_H

#include <stdint.h>

#include "store/settle.h"
#include "store/store.h"
#include "store/unread.h"

struct claim_request {
    uint64_t seq;              /* never used before by this identity */
    unsigned want;             /* 1..1000 jobs */
    int64_t max_bytes;         /* of payload, one job at least */
    int64_t max_payload;       /* larger elements go to dead, unread */
    const char *const *queues; /* names in the order to look at */
    int nqueues;
    bool trial; /* of their lists of jobs that are on trial (lua/recover.lua), not of the queues */
};

struct claimed {
    struct reply *reply;        /* owner frees; the payloads lie in it */
    int queue;                  /* index into the request's queues; -1 = nothing there */
    bool no_lease;              /* refused: this worker's lease has lapsed */
    const struct reply *unread; /* moved to dead for their size (store/unread.h); in the reply */
    unsigned n;                 /* jobs, in queue order: the last is the next to run */
};

/* payload i < n of a claim. */
struct slice claimed_payload(const struct claimed *c, unsigned i);

/* Calls visit for each queue of the request that was passed over: its key is no list, or its next
 * job belongs into dead, whose key is no set. */
void claimed_wrong_queues(const struct claimed *c, void (*visit)(void *ctx, int queue), void *ctx);

/* Claims. With a batch, that is sent first in the same write, and *ret_settle says how it went:
 * 0 with ret_results filled, else a code. The function's own code is the claim's. */
int store_claim(const struct store *s, struct redis_conn *c, const struct claim_request *r,
                const struct settle_batch *batch, int *ret_settle, int8_t *ret_results,
                struct claimed *ret, struct err *err) warn_unused_result;

/* Does any of these queues have jobs on trial? One command, however many they are. */
int store_any_trial(const struct store *s, struct redis_conn *c, const char *const *queues,
                    int nqueues, bool *ret_any, struct err *err) warn_unused_result;

/* The blocking wait, on a private connection: first the claim's number is registered, so that a
 * job which lands in it can be found; then the wait is sent (it moves queue -> claim when there is
 * something, and with ask_paused asks in the same write whether the queue is paused), the
 * connection polled, and the end read. The claim is a list of one job under seq. timeout_s bounds
 * the wait at the server; a wait that ended empty may be sent again under the same number. */
int store_wait_register(const struct store *s, struct redis_conn *c, uint64_t seq,
                        const char *queue, struct err *err) warn_unused_result;
int store_wait_send(const struct store *s, struct redis_conn *c, uint64_t seq, const char *queue,
                    double timeout_s, bool ask_paused) warn_unused_result;
/* *ret_job: the reply with the payload, NULL when the wait ended empty. *ret_paused is only set
 * when asked. A server that is demoted before the second answer: -EROFS, or the job, and the next
 * command fails. */
int store_wait_read(struct redis_conn *c, bool ask_paused, struct reply **ret_job, bool *ret_paused,
                    struct err *err) warn_unused_result;

int store_is_paused(const struct store *s, struct redis_conn *c, const char *queue,
                    bool *ret_paused, struct err *err) warn_unused_result;

/* Our registry of claims, as the server has it. */
struct claim_entry {
    uint64_t seq;
    char *queue;
};
int store_claims(const struct store *s, struct redis_conn *c, struct claim_entry **ret,
                 size_t *ret_n, struct err *err) warn_unused_result;
void claim_entries_free(struct claim_entry *entries, size_t n);

/* Reads one claim of ours that we do not know; what is too large to be read goes to dead (lua/
 * adopt.lua). -EMEDIUMTYPE: it cannot, for the key holds another type, and nothing was touched. May
 * be repeated after -ENOTCONN. */
struct adopted {
    struct reply *reply;          /* owner frees; the others lie in it */
    const struct reply *elements; /* tombstones included */
    const struct reply *unread;   /* moved to dead: store/unread.h */
};
int store_claim_adopt(const struct store *s, struct redis_conn *c, const struct claim_entry *entry,
                      int64_t max_payload, struct adopted *ret, struct err *err) warn_unused_result;
bool store_is_tombstone(struct slice element);

/* Takes an empty claim out of the registry; harmless when jobs are in it (nothing happens). */
int store_claim_forget(const struct store *s, struct redis_conn *c, uint64_t seq,
                       struct err *err) warn_unused_result;

#endif
