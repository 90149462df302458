/*
 * The program of a handler that runs programs (exec, process): whether it can be started, and in
 * words how it ended.
 */
#ifndef SLUICE_WORKER_HANDLERS_PROGRAM_H
#define SLUICE_WORKER_HANDLERS_PROGRAM_H

#include <signal.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "handlers/handler.h"

/* -EINVAL when the settings name a program or a workdir that is not there. A program given by its
 * path has to be there at the start; one that is searched in PATH may come later. `kind` goes
 * before the words. */
int program_check(const struct conf_handler *conf, const char *kind,
                  struct err *err) warn_unused_result;

/* Appends "cannot start PROGRAM[ in WORKDIR]: why". */
void program_put_start_failure(struct buf *out, const struct conf_handler *conf, int code);

/* Appends "exit status 3", "killed by SIGSEGV (core dumped)". */
void program_put_exit(struct buf *out, const siginfo_t *how);
bool program_was_killed(const siginfo_t *how);

#endif
