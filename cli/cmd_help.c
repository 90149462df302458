/* sluice help [COMMAND] */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"

void cli_print_overview(void)
{
    puts("Usage: sluice COMMAND [OPTIONS]\n"
         "\n"
         "Jobs on Redis lists, from the command line.\n"
         "\n"
         "Commands:");
    for (size_t i = 0; cli_commands[i]; i++)
        printf("  %-9s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    puts("\n"
         "Examples:\n"
         "  sluice dev                                  a private Redis and a worker to try it\n"
         "  sluice enqueue checksum /etc/hosts --track  one job; prints its jid\n"
         "  sluice enqueue noop --count 10000           many\n"
         "  sluice enqueue report --in 10m --retry 3    later, with three retries\n"
         "  sluice enqueue --file jobs.ndjson           one job object per line\n"
         "  sluice queues --json\n"
         "\n"
         "Redis is found by --redis URL, else REDIS_URL, else redis://127.0.0.1:6379/0.\n"
         "Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 69 Redis cannot be reached.\n"
         "`sluice help COMMAND` tells all about one command; `sluice --version` the version.");
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    int rc = cli_options(self, argc, argv, &common, NULL, NULL);
    if (rc != CLI_GO)
        return rc;
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
    .takes_arguments = true,
    .run = run,
};
