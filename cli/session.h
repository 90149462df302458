/*
 * One connection to Redis for the length of a command, with the settings it was made from.
 *
 * A command does a handful of calls one after another, so it needs neither the gate nor the pool.
 *
 * Ownership: session_open() fills it or leaves nothing behind; session_close() ends it and is
 * harmless on a zeroed one. Errors: printed; the exit code is returned.
 */
#ifndef SLUICE_CLI_SESSION_H
#define SLUICE_CLI_SESSION_H

#include "cli/cli.h"
#include "client/follow.h"
#include "conf/conf.h"
#include "redis/conn.h"
#include "store/store.h"

struct session {
    struct conf *conf;
    struct store *store;
    struct redis_conn *redis; /* NULL until session_connect() */
    struct buf where;         /* the address without credentials, for people */
};

/* Loads the settings. CLI_GO or an exit code. */
int session_load(struct session *s, const struct cli_common *common) warn_unused_result;
/* Connects by them. CLI_GO or an exit code. */
int session_connect(struct session *s) warn_unused_result;
/* One more connection, by the same settings; the caller frees it. */
int session_dial(const struct session *s, struct redis_conn **ret,
                 struct err *err) warn_unused_result;
/* Follows a job to its end, as f says, over connections of its own. */
int session_follow(const struct session *s, struct follow *f, enum job_end *ret_end,
                   struct err *err) warn_unused_result;
/* Load and connect. */
int session_open(struct session *s, const struct cli_common *common) warn_unused_result;
void session_close(struct session *s);

#endif
