/*
 * Key names, private to the store. Sidekiq's keys bear Sidekiq's names (source: wire.md and
 * sidekiq/lib/sidekiq/); ours begin with "sluice:". The configured prefix goes before all.
 */
#ifndef SLUICE_STORE_KEYS_H
#define SLUICE_STORE_KEYS_H

#include "store/store.h"

struct store {
    char *prefix;
    char *identity; /* NULL for a command */
    char *key[40];  /* by enum key; NULL for those of a worker when there is no identity */
};

enum key {
    KEY_QUEUES,
    KEY_SCHEDULE,
    KEY_RETRY,
    KEY_DEAD,
    KEY_PAUSED,
    KEY_PROCESSES,
    KEY_PROCESSED,
    KEY_FAILED,
    KEY_WORKERS,            /* set of identities that may hold claims */
    KEY_CANCELLED,          /* zset of jids that are to end, by the time of the order */
    KEY_CONTROL,            /* channel to all workers; with :<identity> to one */
    KEY_WANTED,             /* hash of what operators want of all workers */
    KEY_QUEUE_PREFIX,       /* queue:<name> */
    KEY_JOB_PREFIX,         /* sluice:job:<jid> */
    KEY_STREAM_PREFIX,      /* sluice:stream:<jid>, also the channel */
    KEY_DELIVERY_PREFIX,    /* sluice:deliveries:<sha1 of the payload> */
    KEY_TRIAL_PREFIX,       /* sluice:trial:<queue>, list of jobs on their last delivery */
    KEY_LEASE_PREFIX,       /* sluice:lease:<identity> */
    KEY_CLAIMS_PREFIX,      /* sluice:claims:<identity>, hash seq -> queue */
    KEY_CLAIM_PREFIX,       /* sluice:claim:<identity>:<seq>, list; prefix without the identity */
    KEY_QUARANTINE_PREFIX,  /* sluice:quarantine:<key>:<ms>, what fsck has put aside */
    KEY_IDEMPOTENCY_PREFIX, /* sluice:idempotency:<key>, what was answered to it */
    KEY_SENT_PREFIX,        /* sluice:sent:<name>, how far the sender of that name has come */
    KEY_WANTED_PREFIX,      /* sluice:wanted:<identity>, hash of what is wanted of one */
    KEY_REPLY_PREFIX,       /* sluice:reply:<reply>, list of answers to an order */
    KEY_LEASE,              /* of this worker, as are the next ones */
    KEY_CLAIMS,
    KEY_OWN_CLAIM_PREFIX, /* sluice:claim:<this identity>: */
    KEY_SELF,             /* <identity> */
    KEY_WORK,             /* <identity>:work */
    KEY_WORK_OLD,         /* <identity>:workers, where Sidekiq up to 6.4.1 looks for the same */
    KEY_SIGNALS,          /* <identity>-signals */
    KEY_OWN_CONTROL,      /* sluice:control:<this identity> */
    KEY_OWN_WANTED,       /* sluice:wanted:<this identity> */
    KEY_COUNT
};

static inline struct slice store_key(const struct store *s, enum key key)
{
    return slice_of(s->key[key]);
}

/* Adds prefix key + suffix as one argument. */
void store_add_key(struct command *cmd, const struct store *s, enum key prefix, const char *suffix);

/* "stat:processed:2026-01-31" for the day of a Unix time, as one argument. */
void store_add_day_key(struct command *cmd, const struct store *s, enum key stat, double now);

/* Sends a command that is answered with a number, and takes that; -EPROTO when it is none. */
int store_ask_number(struct redis_conn *c, const struct command *cmd, int64_t *ret,
                     struct err *err) warn_unused_result;

/* The tombstone as a slice. */
struct slice store_tombstone(void);

#endif
