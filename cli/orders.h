/*
 * Orders to workers, as the commands give them: who is meant, the order, and the answers.
 *
 * The order is written down (store/wanted.h), so a worker that does not answer, since it is cut off
 * at the moment, obeys when it is back.
 *
 * Threads: one. Ownership: told_release() ends it.
 */
#ifndef SLUICE_CLI_ORDERS_H
#define SLUICE_CLI_ORDERS_H

#include "cli/session.h"
#include "store/wanted.h"

/* The live worker that a word means: an identity, or what only one of them begins with. free() it.
 * -ENOENT; -EINVAL when several do. */
int worker_named(const struct session *session, const char *word, char **ret,
                 struct err *err) warn_unused_result;

/* What a worker told in answer to an order. */
struct told_worker {
    char *identity;
    char *answer;    /* the JSON object; NULL: none came */
    char *error;     /* why it refused; NULL: it did not */
    double after_ms; /* since the order */
    /* of a ping: */
    char *version;
    char *log_level;
    bool quiet, stopping;
    int64_t busy, ready, threads, permits, permits_in_use, permits_waiting;
    double uptime_s;
    double stops_within_s; /* < 0: it does not stop */
};
struct told {
    struct told_worker *worker;
    size_t n;
};

/* Gives the order to one worker, or to all (NULL), and waits for what they say until all have
 * answered or the time is over. */
int orders_give(const struct session *session, struct redis_conn *c, const char *identity,
                struct order o, int64_t timeout_ms, struct told *ret,
                struct err *err) warn_unused_result;
void told_release(struct told *t);

bool told_obeyed(const struct told_worker *w);

/* Both return the exit code: CLI_FAILED unless all have obeyed. */
/* {"workers":[…]}: the answers as they came, and for a missing one an error. */
int told_print_json(const struct told *t);
/* "IDENTITY: done", one line each; why not on stderr. */
int told_print(const struct told *t, const char *done);

#endif
