#include "cli/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int confirm(const struct cli_command *cmd, bool yes, const char *fmt, ...)
{
    struct err question; /* what it quotes must not drive a terminal */
    char answer[16] = "";
    if (yes)
        return CLI_GO;
    va_list ap;
    va_start(ap, fmt);
    (void)err_vset(&question, 0, fmt, ap); /* returns the code */
    va_end(ap);
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return cli_usage(cmd, "this would %c%s; give --yes, since nobody can be asked here",
                         question.text[0] | 0x20, question.text + 1);
    fprintf(stderr, "%s? [y/N] ", question.text);
    if (fgets(answer, sizeof answer, stdin) &&
        (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
        return CLI_GO;
    fputs("Nothing was changed.\n", stderr);
    return CLI_FAILED;
}
