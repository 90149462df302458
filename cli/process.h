/*
 * A child process that must not outlive this one.
 *
 * It gets a process group of its own, so that Ctrl-C in the terminal reaches it only through us
 * and in our order; an empty stdin; and a SIGTERM from the kernel when we die (PR_SET_PDEATHSIG,
 * which posix_spawn() cannot ask for: hence fork, and hence this is for single-threaded commands
 * only). The end is learnt by waitpid(), never by the end of a pipe.
 *
 * Threads: one. Errors: a program that cannot be executed is an error of process_start().
 */
#ifndef SLUICE_CLI_PROCESS_H
#define SLUICE_CLI_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct process {
    const char *name; /* for people; constant */
    pid_t pid;        /* 0 = never started */
    bool ended;
    int status; /* as of waitpid(), once ended */
};

/* argv[0] is looked up in PATH unless it has a slash. output_fd: where stdout and stderr go, -1 =
 * where ours go. -ENOENT, -EACCES … when it cannot be executed. */
int process_start(struct process *p, const char *name, const char *const *argv, int output_fd,
                  struct err *err) warn_unused_result;

static inline bool process_runs(const struct process *p)
{
    return p->pid > 0 && !p->ended;
}

/* Looks whether it has ended; does not wait. */
void process_reap(struct process *p);

/* To the process; SIGKILL to its whole group. Harmless when it has ended. */
void process_signal(const struct process *p, int signal);

/* "exited with status 1", "was killed by signal 9 (Killed)". */
void process_put_end(const struct process *p, struct buf *out);

#endif
