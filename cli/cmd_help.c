/* sluice help [COMMAND] */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/completion.h"
#include "cli/manual.h"

enum { OPTION_MAN = CLI_OPTION, OPTION_COMPLETION };

static const struct cli_option options[] = {
    {OPTION_MAN, "man", NULL, "print the manual page of all commands"},
    {OPTION_COMPLETION, "completion", "SHELL", "print the completions for bash, zsh or fish"},
    {0},
};

static const char summary[] = "Jobs on Redis lists, from the command line";

static const char notes[] =
    "Examples:\n"
    "  sluice dev                                  a private Redis and a worker to try it\n"
    "  sluice enqueue checksum /etc/hosts --track  one job; prints its jid\n"
    "  sluice enqueue noop --count 10000           many\n"
    "  sluice enqueue report --in 10m --retry 3    later, with three retries\n"
    "  sluice enqueue --file jobs.ndjson           one job object per line\n"
    "  sluice queues --json\n"
    "\n"
    "Redis is found by --redis URL, else REDIS_URL, else redis://127.0.0.1:6379/0.\n"
    "Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 69 Redis cannot be reached.\n";

void cli_print_overview(void)
{
    printf("Usage: sluice COMMAND [OPTIONS]\n\n%s.\n\nCommands:\n", summary);
    for (size_t i = 0; cli_commands[i]; i++)
        printf("  %-9s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf(
        "\n%s`sluice help COMMAND` tells all about one command; `sluice --version` the version.\n",
        notes);
}

struct wanted {
    bool manual;
    const char *shell;
};

static int read_option(void *ctx, int id, const char *value)
{
    struct wanted *wanted = ctx;
    if (id == OPTION_MAN)
        wanted->manual = true;
    else
        wanted->shell = value;
    return CLI_GO;
}

static int print_completion(const struct cli_command *self, const char *shell)
{
    struct buf out = {0};
    int rc = completion_put(shell, &out);
    if (rc != 0)
        return cli_usage(self, "--completion is \"%s\"; allowed: bash, zsh, fish", shell);
    (void)fputs(buf_str(&out), stdout);
    buf_release(&out);
    return CLI_DONE;
}

static int print_manual(void)
{
    struct buf out = {0};
    manual_put(summary, notes, &out);
    (void)fputs(buf_str(&out), stdout);
    buf_release(&out);
    return CLI_DONE;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct wanted wanted = {0};
    int rc = cli_options(self, argc, argv, &common, read_option, &wanted);
    if (rc != CLI_GO)
        return rc;
    if (wanted.manual || wanted.shell)
        return wanted.manual ? print_manual() : print_completion(self, wanted.shell);
    if (optind == argc) {
        cli_print_overview();
        return CLI_DONE;
    }
    const struct cli_command *cmd = cli_find(argv[optind]);
    if (cmd) {
        cli_print_help(cmd);
        return CLI_DONE;
    }
    struct buf names = {0};
    cli_put_names(&names);
    rc = cli_usage(self, "unknown command \"%s\"; allowed: %s", argv[optind], buf_str(&names));
    buf_release(&names);
    return rc;
}

const struct cli_command cmd_help = {
    .name = "help",
    .summary = "Tell what the commands do",
    .usage = "[COMMAND]",
    .details =
        "The manual page and the completions are made from what this command tells, so they\n"
        "are always those of this version.\n",
    .options = options,
    .takes_arguments = true,
    .run = run,
};
