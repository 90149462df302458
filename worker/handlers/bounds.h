/*
 * Bounds on what a program may use, laid before its first instruction.
 *
 * They could be laid on a program that runs (prlimit(), a write to cgroup.procs), but whatever it
 * has started by then goes free. posix_spawn() lays none, and there is no forking here (child.h).
 * So a small program of ours, sluice-limit (limit.h), starts in its place, lays them on itself and
 * becomes the program: the same process, in the same session, with the same pipes.
 *
 * Rejected: prlimit(1) of util-linux. It tells by an exit status that there is no such program,
 * which may be a program's own as well, searches it in the PATH of the job, and knows no groups.
 *
 * Costs a second exec for each start of such a program (less than a millisecond), and nothing for
 * others.
 *
 * Threads: bounds_open() from one at a time, and before the rest, which is for any.
 */
#ifndef SLUICE_WORKER_HANDLERS_BOUNDS_H
#define SLUICE_WORKER_HANDLERS_BOUNDS_H

#include <stdbool.h>

#include "base/err.h"

/* Of a process, and of what it starts. */
struct bounds {
    int cpu_s;         /* of processor time: then SIGXCPU, and SIGKILL a second later; 0: any */
    int memory_mb;     /* of its own: then its allocations fail; 0: any */
    const char *group; /* the file to enter its control group by; NULL: none */
};

/* Finds sluice-limit, by where this program lies. -EINVAL with words when it is not there. */
int bounds_open(struct err *err) warn_unused_result;

/* Whether there is anything to lay. NULL is nothing. */
bool bounds_any(const struct bounds *b);

/* The command line that lays them and becomes argv. Borrows all it is made of, but its numbers.
 * NULL: no memory. free() it. */
struct bounds_command {
    char cpu[12], memory[12];
    char *argv[];
};
struct bounds_command *bounds_command(const struct bounds *b, char *const *argv);

/* Waits for what sluice-limit reports at this end of its pipe: 0 when the program runs, or -errno,
 * and there is none. */
int bounds_await(int report_fd) warn_unused_result;

#endif
