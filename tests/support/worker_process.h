/*
 * The real sluice-worker as a child of the test, against the test's own Redis.
 *
 * Its settings (YAML text) and its log lie in the folder of the redis_server; its environment is
 * ours without REDIS_* and SLUICE_*, plus REDIS_URL of the server and what the options add, so
 * the settings of whoever runs the tests do not leak in.
 *
 * Nothing survives a failed test: the worker dies with the thread that started it
 * (PR_SET_PDEATHSIG, which posix_spawn cannot ask for, hence a fork), and a witness, a small
 * process that waits for the end of a pipe, then prints the tail of the worker's log. A test that
 * ends well calls worker_process_free(), which dismisses the witness. Processes that handlers of a
 * killed worker have started are not ours to find: let them be short-lived.
 *
 * Each step fails the test when it cannot be done. Several workers at once: several structs.
 * Threads: one. Ownership: embedded.
 */
#ifndef SLUICE_TESTS_WORKER_PROCESS_H
#define SLUICE_TESTS_WORKER_PROCESS_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "support/redis_server.h"

#define WORKER_PROGRAM TEST_BINARY_DIR "/bin/sluice-worker"
/* The same with its fail points: worker/failpoint.h. */
#define FAILPOINTS_PROGRAM TEST_BINARY_DIR "/tests/sluice-worker-failpoints"
#define TEST_PLUGIN        TEST_BINARY_DIR "/tests/testplugin.so"
/* A line of settings under `handlers:`, for the class "test": see plugins/testplugin.c. */
#define TEST_HANDLER "  - {class: test, plugin: \"" TEST_PLUGIN "\"}\n"

/* All may be left out. */
struct worker_options {
    const char *program;     /* NULL: WORKER_PROGRAM */
    const char *settings;    /* YAML text; NULL: no --config */
    const char *url;         /* of Redis, e.g. of a proxy; NULL: the server's socket */
    const char *const *args; /* more flags, NULL-terminated */
    const char *const *env;  /* more "NAME=value", NULL-terminated */
    /* For tests of RLIMIT_NPROC, which does not bind the super-user and counts all that runs under
     * one id: when the test is the super-user, an id that nobody else has. The worker may open any
     * file all the same, and so may what it starts. */
    bool own_user;
    int processes; /* RLIMIT_NPROC from its start on; 0: as ours */
    int netns;     /* descriptor of the network namespace that it is in; 0: ours */
};

struct worker_process {
    const struct redis_server *server;
    pid_t pid;          /* 0: not running */
    uid_t uid;          /* of its own user; 0: ours */
    char settings[128]; /* file; empty: none */
    char log[128];      /* file */
    char identity[384]; /* set when it is ready */
    int witness;        /* pipe to the witness, 0: none */
    int status;         /* after its end: exit status, or 128 + signal */
};

/* Starts it and waits until it is at work: it says so and holds its lease. */
void worker_process_start(struct worker_process *w, const struct redis_server *s,
                          const struct worker_options *o);
/* Starts it only; then waits until it is at work. The key prefix is that of its settings, or
 * "" (keep in step with the worker's key_prefix). */
void worker_process_spawn(struct worker_process *w, const struct redis_server *s,
                          const struct worker_options *o);
void worker_process_wait_ready(struct worker_process *w, const char *key_prefix);
/* Learns its identity from its log, without waiting; false when it has not said it yet. */
bool worker_process_identify(struct worker_process *w);

/* After SIGSTOP it returns when all threads stand still. */
void worker_process_signal(const struct worker_process *w, int number);
/* Changes a soft limit (RLIMIT_…) of it while it runs; returns the one before. */
rlim_t worker_process_limit(const struct worker_process *w, int resource, rlim_t limit);
/* Writes new settings in place of the old, at once and whole; the worker reads them on SIGHUP. */
void worker_process_rewrite(const struct worker_process *w, const char *settings);
/* SIGKILL, and reaps. */
void worker_process_kill(struct worker_process *w);
/* Waits for its end, at most ms, and returns the exit status, or 128 + signal. */
int worker_process_wait(struct worker_process *w, int64_t ms);
/* SIGTERM, then waits (60 s). */
int worker_process_stop(struct worker_process *w);
/* Whether it has ended (and then status is set); does not wait. */
bool worker_process_ended(struct worker_process *w);

/* Kills what still runs and dismisses the witness; harmless on a zeroed struct. */
void worker_process_free(struct worker_process *w);

/* A whole file of the folder that it runs in; "" when there is none. free() it. */
char *worker_process_file(const struct worker_process *w, const char *name);
/* The whole log so far; free() it. */
char *worker_process_log(const struct worker_process *w);
bool worker_process_said(const struct worker_process *w, const char *text);
/* How often a text occurs in the log. */
int worker_process_count(const struct worker_process *w, const char *text);

#endif
