/*
 * Facts about a process, from /proc.
 *
 * Threads: safe from any thread.
 */
#ifndef SLUICE_BASE_PROCESS_H
#define SLUICE_BASE_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* Resident memory of a process (0: this one) in KiB; 0 when /proc does not tell. */
int64_t process_rss_kb(pid_t pid);

#endif
