/*
 * Lua scripts, called by digest.
 *
 * A script is embedded at build time together with its SHA-1 (CMake does it for store/lua). A call
 * is one EVALSHA; when the server does not know it (NOSCRIPT: first use, restart, SCRIPT FLUSH,
 * failover), nothing has run, and the same call is repeated once with EVAL and the source, which
 * also loads it. So a lost script cache costs one round trip and never an error.
 *
 * Threads: scripts are constant; calls are as safe as their connection.
 */
#ifndef SLUICE_REDIS_SCRIPT_H
#define SLUICE_REDIS_SCRIPT_H

#include "redis/conn.h"

struct script {
    const char *name;
    const char *source;
    size_t source_len;
    const char *sha1; /* 40 hex digits */
};

/* A call under construction. Begin, then keys, then arguments through `cmd`. */
struct script_call {
    const struct script *script;
    struct command cmd;
};

/* Starts a call with nkeys keys; add the keys and then the arguments to call->cmd with
 * command_*(). Reusable: a second begin clears the first. End with script_call_release(). */
void script_begin(struct script_call *call, const struct script *script, int nkeys);
void script_call_release(struct script_call *call);

/* One call, one reply. Error replies as their code. */
int script_run(struct redis_conn *c, const struct script_call *call, struct reply **ret,
               struct err *err) warn_unused_result;

/* Pipelined: n calls are sent in one write and their replies read in order; those the server did
 * not know are repeated one by one. ret[i] holds each reply (error replies included, free all);
 * on a transport failure the replies that did arrive are kept, the rest is NULL, and -ENOTCONN is
 * returned. Calls must not depend on each other's success. */
int script_run_all(struct redis_conn *c, const struct script_call *const *calls, int n,
                   struct reply **ret, struct err *err) warn_unused_result;

#endif
