/*
 * The inside of struct sluice_client: settings, a connection, and the turn to use it.
 *
 * A call is: take the turn, which leaves a connection that answers as far as can be seen; do one
 * exchange of the store within the deadline; give the turn back. A connection that has failed is
 * closed at the end of the call that it failed in, so that the next one opens another. Nothing is
 * repeated here: an exchange may have had its effect (sluice/client.h, "A lost answer").
 *
 * The turn is a semaphore of one and no mutex: it is held across an exchange with Redis, and it is
 * waited for with a deadline.
 */
#ifndef SLUICE_CLIENT_CLIENT_H
#define SLUICE_CLIENT_CLIENT_H

#include <sys/types.h>

#include "base/permit.h"
#include "client/settings.h"
#include "client/sigpipe.h"
#include "store/store_clock.h"

struct sluice_client {
    struct settings settings;
    struct store *store;
    struct permit turn; /* who has it owns all below */
    struct redis_conn *conn;
    pid_t owner; /* the process that opened it */
    struct store_clock clock;
};

/* One call of the public interface. */
struct client_call {
    struct sluice_client *client;
    struct redis_conn *conn; /* set by client_begin() */
    bool ordered;            /* set by the caller: from now on, something may have an effect */
    struct sigpipe sigpipe;
    struct err err;
};

/* Takes the turn and has a connection, whose waits end by the deadline. 0, and then client_end()
 * must follow; -ETIMEDOUT, -ENOTCONN …: nothing has happened. */
int client_begin(struct client_call *call, struct sluice_client *client,
                 int64_t deadline_ns) warn_unused_result;

/* Gives the turn back. rc: what the exchange came to, which is returned, except that a connection
 * that was lost after `ordered` is -ECONNABORTED. */
int client_end(struct client_call *call, int rc);

/* Redis' time as far as it is known: without asking, and asked for. */
bool client_knows_time(struct sluice_client *client, int64_t deadline_ns, double *ret);
int client_ask_time(struct sluice_client *client, int64_t deadline_ns, double *ret,
                    struct err *err) warn_unused_result;

/* Opens one more connection, by the deadline at the latest: of struct follow. */
int client_dial(void *client, int64_t deadline_ns, struct redis_conn **ret,
                struct err *err) warn_unused_result;

/* Fills in the public error, if there is one; code 0 empties it. Returns code. */
int client_fail(struct sluice_client_error *error, int code, const struct err *err);

#endif
