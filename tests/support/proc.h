/*
 * What /proc tells of a process: its memory, its descriptors, its children, its end.
 *
 * Of the test itself with getpid(). Of one that is gone: no memory (0), no descriptors (0), no
 * children; a test that needs a figure asserts that it is one.
 *
 * Threads: any. Ownership: none.
 */
#ifndef SLUICE_TESTS_PROC_H
#define SLUICE_TESTS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

int64_t proc_peak_kb(pid_t pid); /* the most memory that has been resident at once */
/* What is resident now: process_rss_kb() of base/process.h. */

int proc_descriptors(pid_t pid);
/* Without sockets: in a worker a connection to Redis may open at any time. */
int proc_files(pid_t pid);
/* The lowest number that is no descriptor: with it as RLIMIT_NOFILE none can be opened. */
int proc_free_descriptor(pid_t pid);

/* A zombie is gone, too: it may wait for a parent that is not ours. */
bool proc_is_gone(pid_t pid);

/* Children that have ended and were not waited for. */
int proc_zombies(pid_t parent);
/* One of the children that live; 0: there is none. */
pid_t proc_child(pid_t parent);

#endif
