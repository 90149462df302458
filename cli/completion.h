/*
 * Completion of command lines: scripts for bash, zsh and fish, made from the descriptions of the
 * commands, so that a command or an option that is added is completed without another list.
 *
 * What follows a command is known by the words of its usage and of its options' values: FILE and
 * PATH are files, COMMAND a command, QUEUE (or Q) a queue and WORKER a worker, for which the script
 * asks Redis, for a second at most. Names that could mean something to a shell are left out.
 */
#ifndef SLUICE_CLI_COMPLETION_H
#define SLUICE_CLI_COMPLETION_H

#include "base/buf.h"

/* -EINVAL for a shell that is not known. */
int completion_put(const char *shell, struct buf *out) warn_unused_result;

#endif
