/* Options of the commands: one table for getopt, for --help and for what errors say is allowed. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { OPTION_REDIS = 1000, OPTION_CONFIG, OPTION_JSON, OPTION_HELP };

static const struct cli_option redis_options[] = {
    {OPTION_REDIS, "redis", "URL", "an address like redis://HOST:PORT/DB (default: $REDIS_URL)"},
    {OPTION_CONFIG, "config", "FILE", "read settings from this YAML file"},
    {0},
};
static const struct cli_option data_options[] = {
    {OPTION_JSON, "json", NULL, "print one JSON value"},
    {0},
};
static const struct cli_option help_options[] = {
    {OPTION_HELP, "help", NULL, "show this text"},
    {0},
};

int cli_gather(const struct cli_command *cmd, const struct cli_option *ret[CLI_OPTIONS_MAX])
{
    const struct cli_option *const groups[] = {
        cmd->options,
        cmd->prints_data ? data_options : NULL,
        cmd->reads_redis ? redis_options : NULL,
        help_options,
    };
    int n = 0;
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const struct cli_option *o = groups[g]; o && o->name && n < CLI_OPTIONS_MAX; o++)
            ret[n++] = o;
    return n;
}

static int refuse_option(const struct cli_command *cmd, const struct cli_option *const *options,
                         int n, const char *text)
{
    struct buf allowed = {0};
    for (int i = 0; i < n; i++)
        buf_printf(&allowed, "%s--%s", i > 0 ? ", " : "", options[i]->name);
    if (cmd->takes_arguments)
        buf_puts(&allowed, "; an argument that begins with a dash comes after --");
    int rc = cli_usage(cmd, "unknown option %s; allowed: %s", text, buf_str(&allowed));
    buf_release(&allowed);
    return rc;
}

/* What getopt could not take: ':' or '?', and what it left in optopt and argv. */
static int refuse(const struct cli_command *cmd, const struct cli_option *const *options, int n,
                  int code, char **argv)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    for (int i = 0; i < n; i++)
        if (optopt == options[i]->id)
            return code == ':'
                       ? cli_usage(cmd, "--%s needs a value: %s", options[i]->name, options[i]->arg)
                       : cli_usage(cmd, "--%s takes no value", options[i]->name);
    return refuse_option(cmd, options, n, optopt == 0 ? argv[optind - 1] : letter);
}

int cli_options(const struct cli_command *cmd, int argc, char **argv, struct cli_common *ret,
                cli_own_option *own, void *ctx)
{
    const struct cli_option *options[CLI_OPTIONS_MAX];
    struct option table[CLI_OPTIONS_MAX + 1] = {0};
    const int n = cli_gather(cmd, options);
    for (int i = 0; i < n; i++)
        table[i] =
            (struct option){options[i]->name, options[i]->arg ? required_argument : no_argument,
                            NULL, options[i]->id};
    opterr = 0;
    optind = 0; /* glibc: start afresh */
    for (;;) {
        int id = getopt_long(argc, argv, ":h", table, NULL);
        int rc = CLI_GO;
        switch (id) {
        case -1:
            return cmd->takes_arguments || optind == argc
                       ? CLI_GO
                       : cli_usage(cmd, "unexpected argument \"%s\"; allowed: options only",
                                   argv[optind]);
        case ':':
        case '?':
            return refuse(cmd, options, n, id, argv);
        case 'h':
        case OPTION_HELP:
            cli_print_help(cmd);
            return CLI_DONE;
        case OPTION_REDIS:
            ret->redis = optarg;
            break;
        case OPTION_CONFIG:
            ret->config = optarg;
            break;
        case OPTION_JSON:
            ret->json = true;
            break;
        default:
            rc = own(ctx, id, optarg);
        }
        if (rc != CLI_GO)
            return rc;
    }
}

void cli_print_help(const struct cli_command *cmd)
{
    const struct cli_option *options[CLI_OPTIONS_MAX];
    const int n = cli_gather(cmd, options);
    printf("Usage: sluice %s %s\n\n%s.\n\nOptions:\n", cmd->name, cmd->usage, cmd->summary);
    for (int i = 0; i < n; i++) {
        char left[40];
        (void)snprintf(left, sizeof left, "--%s%s%s", options[i]->name, options[i]->arg ? " " : "",
                       options[i]->arg ? options[i]->arg : "");
        printf("  %-18s %s\n", left, options[i]->help);
    }
    if (cmd->details)
        printf("\n%s", cmd->details);
}
