/*
 * Consent: before what cannot be taken back. Asked for on a terminal; elsewhere nobody is there to
 * answer, so --yes has to be given.
 */
#ifndef SLUICE_CLI_CONFIRM_H
#define SLUICE_CLI_CONFIRM_H

#include "cli/cli.h"

/* CLI_GO with consent; CLI_FAILED when it was refused, CLI_USAGE when --yes is missing (a line says
 * so). The question is without its mark: "Delete 12 jobs of the queue x". */
int confirm(const struct cli_command *cmd, bool yes, const char *fmt, ...)
    printf_like(3, 4) warn_unused_result;

#endif
