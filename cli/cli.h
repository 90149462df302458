/*
 * The command `sluice`: what its commands share.
 *
 * Each command is one file cmd_NAME.c with one constant description; main.c holds the table of
 * them, and help, options and errors are derived from the descriptions. A command does one thing
 * and ends with one of the exit codes below; what went wrong is one line on stderr that says what
 * is allowed. Data goes to stdout, and with --json as one JSON value.
 *
 * Threads: one. Memory: what a command holds at its end is freed all the same, so that the
 * sanitizers can tell a leak.
 */
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    CLI_GO = -1, /* not an exit code: go on */
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_UNREACHABLE = 69,
};

/* A long option. Ids are >= CLI_OPTION, apart from characters. */
enum { CLI_OPTION = 256 };
struct cli_option {
    int id;
    const char *name;
    const char *arg; /* what it takes, as --help shows it; NULL = nothing */
    const char *help;
};

struct cli_command {
    const char *name;
    const char *summary;              /* one line of the overview */
    const char *usage;                /* what comes after "sluice NAME" */
    const char *details;              /* paragraphs of --help, or NULL */
    const struct cli_option *options; /* its own, ended by a zeroed one; NULL = none */
    bool takes_arguments;             /* words that are no options */
    bool reads_redis;                 /* takes --redis and --config */
    bool prints_data;                 /* takes --json */
    int (*run)(const struct cli_command *self, int argc, char **argv); /* argv[0] = its name */
};

/* The table in main.c, ended by NULL. */
extern const struct cli_command *const cli_commands[];
const struct cli_command *cli_find(const char *name);

extern const struct cli_command cmd_dev, cmd_enqueue, cmd_status, cmd_why, cmd_follow, cmd_tail,
    cmd_cancel, cmd_stats, cmd_queues, cmd_pause, cmd_unpause, cmd_clear, cmd_retry, cmd_schedule,
    cmd_dead, cmd_workers, cmd_ping, cmd_quiet, cmd_resume, cmd_stop, cmd_set, cmd_top, cmd_doctor,
    cmd_fsck, cmd_help;

/* What --redis, --config and --json said. */
struct cli_common {
    const char *redis;
    const char *config;
    bool json;
};

/* Reads the options of a command; own() gets each of the command's own (value NULL when it takes
 * none) and returns CLI_GO or an exit code. Returns CLI_GO with the arguments that are left from
 * argv[optind] on; else an exit code (--help and errors have been printed). */
typedef int cli_own_option(void *ctx, int id, const char *value);
int cli_options(const struct cli_command *cmd, int argc, char **argv, struct cli_common *ret,
                cli_own_option *own, void *ctx) warn_unused_result;

/* All options of a command, its own first; returns how many. */
enum { CLI_OPTIONS_MAX = 24 };
int cli_gather(const struct cli_command *cmd, const struct cli_option *ret[CLI_OPTIONS_MAX]);

void cli_print_help(const struct cli_command *cmd);
void cli_print_overview(void);
/* "enqueue, stats, …" */
void cli_put_names(struct buf *out);

/* One line on stderr. Returns CLI_USAGE. */
int cli_usage(const struct cli_command *cmd, const char *fmt, ...) printf_like(2, 3);
/* The same of a command that takes one jid, and got none or several. */
int cli_wants_jid(const struct cli_command *cmd);

/* CLI_GO, or the same line and CLI_USAGE for what is no name of a queue. where: "" or "--queue ".
 */
int cli_check_queue(const struct cli_command *cmd, const char *where, const char *name);

/* One line on stderr for a code of base/err.h. Returns the exit code that fits it. */
int cli_fail(int code, const struct err *err);

/* Appends text that has to stay one line: control characters become blanks. In JSON they only stand
 * between values. */
void cli_put_flat(struct buf *out, struct slice text);

/* Writes out what was printed to stdout. -EPIPE when nobody reads it any more, or why it cannot be
 * written; then what could not is dropped, and is not told again. */
int cli_flush(struct err *err) warn_unused_result;

/* Prints the text and a newline to stdout. */
void cli_print(struct buf *text);

#endif
