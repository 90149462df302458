/* sluice COMMAND …: the operator's and developer's command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* What could not be written was not said: a full disk must not look like success. A reader that
 * went away (`| head`) knows why, so that passes without words. */
static int close_stdout(int rc)
{
    struct err err = {""};
    int code = cli_flush(&err);
    if (code == 0)
        return rc;
    if (code != -EPIPE)
        fprintf(stderr, "sluice: %s\n", err.text);
    return rc == CLI_DONE ? CLI_FAILED : rc;
}

static int refuse_word(const char *word)
{
    struct buf names = {0};
    cli_put_names(&names);
    int rc = word[0] == '-'
                 ? cli_usage(NULL,
                             "%s is not an option here; options follow the command, "
                             "as in: sluice stats --json",
                             word)
                 : cli_usage(NULL, "unknown command \"%s\"; allowed: %s", word, buf_str(&names));
    buf_release(&names);
    return rc;
}

int main(int argc, char **argv)
{
    /* A connection that Redis has closed answers by an error code (redis/conn.h). */
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        cli_print_overview();
        return close_stdout(CLI_USAGE);
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0) {
        puts("sluice " SLUICE_VERSION);
        return close_stdout(CLI_DONE);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    const struct cli_command *cmd = cli_find(word);
    if (!cmd)
        return refuse_word(word);
    return close_stdout(cmd->run(cmd, argc - 1, argv + 1));
}
