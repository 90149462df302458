/*
 * The server as its operator has set it up: INFO, settings, slow log, latency, clock and rights.
 * What the worker's warnings at start and `sluice doctor` judge by.
 *
 * A managed Redis refuses some of these questions. What it does not tell reads as empty (or 0, or
 * false in the *_known fields), and is no failure: only a connection that breaks is one.
 *
 * Threads: none. Ownership: server_look_release() ends a look, from which texts are borrowed.
 */
#ifndef SLUICE_STORE_SERVER_H
#define SLUICE_STORE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* The little that a worker looks at when it starts. */
struct server_info {
    char version[32];
    int64_t maxclients; /* 0 = unknown (CONFIG GET refused) */
    int64_t connected_clients;
    char maxmemory_policy[32]; /* "" = unknown */
    bool persistent;           /* AOF on or at least one save point; true when unknown */
    bool replica;
};
int store_server_info(struct redis_conn *c, struct server_info *ret,
                      struct err *err) warn_unused_result;

enum { SERVER_PINGS = 200, SERVER_SLOW_US = 100000, SERVER_SLOW_S = 3600 };

struct server_look {
    struct reply **answer; /* private */
    size_t answers;

    double clock_ahead_s; /* Redis' clock before this machine's; half a round trip is taken off */
    double ping_min_us, ping_p50_us, ping_p99_us; /* of SERVER_PINGS */
    bool slow_known;
    uint64_t slow,
        slow_ours; /* in the slow log: longer than SERVER_SLOW_US, within SERVER_SLOW_S */
    int64_t slowest_us;
    bool rights_known; /* ACL DRYRUN exists and was allowed */
    char user[128];    /* "" = unknown */
    char refused[256]; /* commands that Sluice needs and this user may not use, "A, B" */
};

/* A hundred round trips and more, one after another. */
int store_server_look(const struct store *s, struct redis_conn *c, struct server_look *ret,
                      struct err *err) warn_unused_result;
void server_look_release(struct server_look *look); /* harmless on a zeroed one */

/* A line of INFO / a setting; empty when it was not told. */
struct slice server_fact(const struct server_look *look, const char *name);
int64_t server_fact_int(const struct server_look *look, const char *name);
/* One of those that the look has asked for. *ret_known may be NULL. */
struct slice server_setting(const struct server_look *look, const char *name, bool *ret_known);
int64_t server_setting_int(const struct server_look *look, const char *name, bool *ret_known);

#endif
