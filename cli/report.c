/* How a command says that it failed: one line on stderr, and the exit code that fits. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"

int cli_usage(const struct cli_command *cmd, const char *fmt, ...)
{
    char text[sizeof(struct err)];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap); /* cut: still one clear line */
    va_end(ap);
    struct err line;
    err_set(&line, 0, "%s", text); /* what it quotes must not drive a terminal */
    fprintf(stderr, "sluice%s%s: %s\n", cmd ? " " : "", cmd ? cmd->name : "", line.text);
    return CLI_USAGE;
}

int cli_fail(int code, const struct err *err)
{
    fprintf(stderr, "sluice: %s\n", err->text[0] ? err->text : err_phrase(code));
    switch (-code) {
    case ENOTCONN:
    case ETIMEDOUT:
    case EAGAIN: /* it is there, and will not talk yet */
        return CLI_UNREACHABLE;
    case EINVAL:
        return CLI_USAGE;
    default:
        return CLI_FAILED;
    }
}

void cli_print(struct buf *text)
{
    buf_putc(text, '\n');
    (void)fwrite(text->p, 1, text->n, stdout); /* main() asks whether stdout has failed */
}
