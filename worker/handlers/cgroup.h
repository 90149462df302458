/*
 * Control groups, version 2: one bound on the memory of everything that a run has started.
 *
 * A limit of resources (child.h) bounds each process by itself. Where the kernel's memory
 * controller has been delegated to the worker (systemd: Delegate=memory), each run with a
 * `max_memory` has a group of its own as well: it bounds the sum over all processes, what exceeds
 * it is killed as a whole, and nothing that the run has started outlives it, not even what has made
 * itself a session of its own.
 *
 *   the group that we were started in   passes memory on to those below, so it has no processes
 *     worker                            this process
 *     run-PID-0, run-PID-1, …           one per run
 *
 * This works only when nobody else is in the group that we were started in; else, and without
 * delegation, there are no groups, and the limit of each process is what is left.
 *
 * Threads: cgroups_open() from one at a time, the rest from any. A group belongs to its run.
 * Source: Documentation/admin-guide/cgroup-v2.rst of Linux; needs 5.14 (cgroup.kill).
 */
#ifndef SLUICE_WORKER_HANDLERS_CGROUP_H
#define SLUICE_WORKER_HANDLERS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { CGROUP_FOLDER_MAX = 4096, CGROUP_ENTRY_MAX = CGROUP_FOLDER_MAX + 64 };

struct cgroup {
    int fd; /* its folder; -1: none */
    char name[48];
};

struct cgroup_usage {
    bool killed;     /* by the kernel, for its memory */
    int64_t peak_kb; /* of the sum; 0 when it is not known */
};

/* Moves this process aside, makes room for groups and removes those of workers that were killed in
 * this place; once, later calls repeat the answer.
 * -ENOTSUP with the reason in words when there can be none. */
int cgroups_open(struct err *err) warn_unused_result;

/* An empty group, bounded to so many MB of memory, none of it swapped. Without groups, or when this
 * one cannot be made, the other functions do nothing to it. Returns whether it was made. */
bool cgroup_begin(struct cgroup *g, int memory_mb);

/* The file that a process enters the group by, for itself and for what it will start, when it
 * writes "0" to it. NULL without a group. */
const char *cgroup_entry(const struct cgroup *g, char ret[CGROUP_ENTRY_MAX]);

/* Kills all that is in the group and removes it. */
void cgroup_end(struct cgroup *g, struct cgroup_usage *ret);

/* Where the files of a process' group are, by the texts of its /proc/PID/cgroup and mountinfo.
 * -ENOTSUP when it has none of version 2, or they cannot be seen. */
int cgroup_locate(const char *cgroup, const char *mountinfo, char *ret,
                  size_t size) warn_unused_result;

#endif
