/*
 * The heap of a process that runs for months: it stays as small as what is in use.
 *
 * glibc gives the threads eight arenas a processor, and lets the size above which memory goes back
 * to the kernel at once grow with use. Jobs are made by one thread and freed by another, so each
 * arena fills with the leavings of all sizes, and what a burst took is kept for good: a worker that
 * is flat otherwise grows for hours.
 *
 * Threads: the main one. Errors: none; what cannot be had stays as it was.
 */
#ifndef SLUICE_WORKER_HEAP_H
#define SLUICE_WORKER_HEAP_H

/* An arena a processor, which costs nothing that bench-drain could measure. Before the first
 * thread. Whoever sets glibc.malloc.arena_max (or MALLOC_ARENA_MAX) in the environment means it. */
void heap_setup(void);

/* Gives free pages back, once a minute however often it is called. */
void heap_tend(void);

#endif
