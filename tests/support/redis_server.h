/*
 * A private redis-server for a test or a benchmark.
 *
 * What it is: a real server (redis-server, else valkey-server) on a unix socket in a temporary
 * folder of its own, optionally on a free TCP port too. Nothing is shared with a server that the
 * machine may run, and no fake stands in for the real thing.
 *
 * Life. start → (pause/resume, kill, restart …) → free. After kill or stop the folder stays, so
 * that a restart finds the same socket, port and data. The child dies with this process whatever
 * happens (PR_SET_PDEATHSIG); free removes the folder, and each start removes those of processes
 * that were killed before they could.
 *
 * Threads: one thread at a time; start, and restart, from a thread that outlives the server (the
 * death signal follows the thread). Ownership: everything is freed by redis_server_free().
 * Errors: 0 or a negative errno with a sentence in err; this file does not depend on Check.
 */
#ifndef SLUICE_TESTS_REDIS_SERVER_H
#define SLUICE_TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct redis_server {
    char dir[64];    /* the temporary folder */
    char socket[96]; /* its unix socket */
    char url[128];   /* "unix://…", for programs that take an address */
    int port;        /* 0: no TCP */
    pid_t pid;       /* 0: not running */
    char **argv;     /* of the server, for a restart */
};

struct redis_server_options {
    bool tcp;                 /* listen on 127.0.0.1 too, on a free port */
    const char *sentinel;     /* run as a sentinel, by these lines of configuration, or NULL */
    const char *const *extra; /* more arguments for the server, NULL-terminated, or NULL */
};

/* Returns when the server answers. o may be NULL: unix socket only, nothing extra. -ENOENT when no
 * server program is installed; -ECHILD when it ended instead of answering (with its last words). */
int redis_server_start(struct redis_server *s, const struct redis_server_options *o,
                       struct err *err) warn_unused_result;
void redis_server_free(struct redis_server *s); /* harmless on a zeroed struct, and twice */

/* Ends it (TERM, so it may save; KILL after 5 s; or KILL at once) and reaps it. */
void redis_server_stop(struct redis_server *s);
void redis_server_kill(struct redis_server *s);

/* Starts it again with the same arguments, socket, port and folder. */
int redis_server_restart(struct redis_server *s, struct err *err) warn_unused_result;

/* Freezes and thaws the process (SIGSTOP, SIGCONT): it keeps its connections and says nothing. */
void redis_server_pause(struct redis_server *s);
void redis_server_resume(struct redis_server *s);

/* A port of 127.0.0.1 that was free a moment ago, or a negative errno. */
int redis_server_free_port(void);

#endif
