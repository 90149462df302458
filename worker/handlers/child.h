/*
 * A child process with pipes on its stdin, stdout and stderr.
 *
 * It starts by posix_spawn, never by fork: in a process with a hundred threads a fork copies page
 * tables and locks held by others. It leads a session, and thus a process group, of its own: a
 * signal sent to it reaches what it started too, and neither a terminal's Ctrl-C nor its job
 * control reach it. Signal mask and dispositions are reset (the worker ignores SIGPIPE and blocks
 * everything in its threads), and descriptors other than 0–2 are closed.
 *
 * Its end is told by the kernel, not by the end of a pipe, which a grandchild may hold open.
 * Between the exit and child_end() the leader stays a zombie, so that its id cannot be given to
 * somebody else: that makes signals to the group safe. A process that has left the group (a daemon
 * that called setsid) is out of reach; it only loses its pipes.
 *
 * All children are listed, so that a process that leaves without its threads can take them along:
 * the death of a worker does not reach them otherwise.
 *
 * Threads: a child belongs to one thread; any number of threads may have one. It must stay where it
 * is from its spawn to its end. Requirements: the
 * caller's own descriptors 0–2 are open, and SIGCHLD is not ignored (else the kernel reaps).
 */
#ifndef SLUICE_WORKER_HANDLERS_CHILD_H
#define SLUICE_WORKER_HANDLERS_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "handlers/bounds.h"

struct child {
    pid_t pid;
    int pidfd; /* readable once it has exited; -1 when none could be had: ask child_exited() */
    int in;    /* write end of its stdin; this and the next two do not block; -1 when closed */
    int out;   /* read ends */
    int err;
    struct child *next, *prev; /* the list of all */
};

/* What a child and those it waited for have used. */
struct child_usage {
    double cpu_s;
    int64_t peak_rss_kb; /* of the largest of them; 0 when it is not known */
};

/* Starts argv (argv[0] is searched in PATH when it has no slash) with env in workdir (NULL: the
 * caller's), within bounds (NULL: none). A relative path in argv[0] is relative to workdir. */
int child_spawn(char *const *argv, char *const *env, const char *workdir,
                const struct bounds *bounds, struct child *ret) warn_unused_result;

/* Whether a failure to spawn passes by itself: no descriptor, process or memory left. */
bool child_error_passes(int code);

/* Sends a signal to the whole group. */
void child_signal(const struct child *c, int sig);

/* Whether it has exited, and how (si_code, si_status). Neither waits nor reaps. */
bool child_exited(const struct child *c, siginfo_t *ret);

/* Waits until it has exited; does not reap. For one that was killed. */
void child_await_exit(const struct child *c);

/* Closes one of its pipes, if that is still open. */
void child_close_pipe(int *fd);

/* Kills what is left of the group, reaps the leader (waiting for it) and closes everything.
 * ret_usage may be NULL. */
void child_end(struct child *c, struct child_usage *ret_usage);

/* Children of this process between their spawn and their end. */
int child_count(void);

/* Kills the groups of all of them, and of those that are spawned later. For the last moment before
 * the process ends. */
void child_kill_all(void);

#endif
