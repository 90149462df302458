/* How a command says that it failed: one line on stderr, and the exit code that fits. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "job/envelope.h"

int cli_usage(const struct cli_command *cmd, const char *fmt, ...)
{
    struct err line; /* what it quotes must not drive a terminal */
    va_list ap;
    va_start(ap, fmt);
    (void)err_vset(&line, 0, fmt, ap); /* returns the code */
    va_end(ap);
    fprintf(stderr, "sluice%s%s: %s\n", cmd ? " " : "", cmd ? cmd->name : "", line.text);
    return CLI_USAGE;
}

int cli_wants_jid(const struct cli_command *cmd)
{
    return cli_usage(cmd, "one jid is wanted; as in: sluice %s 3f0a8b1c2d4e5f60718293a4",
                     cmd->name);
}

int cli_check_queue(const struct cli_command *cmd, const char *where, const char *name)
{
    if (job_queue_name_ok(name))
        return CLI_GO;
    return cli_usage(cmd,
                     "%s\"%s\" is not a queue name; allowed: 1 to %d bytes without white space, "
                     "commas and quotes",
                     where, name, JOB_QUEUE_MAX);
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

void cli_put_flat(struct buf *out, struct slice text)
{
    size_t at = out->n;
    buf_put(out, text);
    for (; at < out->n; at++)
        if ((unsigned char)out->p[at] < 0x20)
            out->p[at] = ' ';
}

int cli_flush(struct err *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    int code = errno ? errno : EIO; /* it failed before, when the buffer was full */
    clearerr(stdout);
    return err_set(err, -code, "cannot write to stdout: %s", strerror(code));
}

void cli_print(struct buf *text)
{
    buf_putc(text, '\n');
    (void)fwrite(text->p, 1, text->n, stdout); /* main() asks whether stdout has failed */
}
