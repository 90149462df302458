/* sluice tail */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tail.h"
#include "job/envelope.h"

enum { QUEUE = CLI_OPTION, CLASS, TYPE, LINES };
enum { LINES_DEFAULT = 10, LINES_MAX = 100000 };

static const struct cli_option options[] = {
    {QUEUE, "queue", "Q", "jobs of this queue; may be repeated, as may the next two"},
    {CLASS, "class", "CLASS", "jobs of this class, or of those that a glob means, as \"mail.*\""},
    {TYPE, "type", "TYPE", "events whose \"type\" is this, as \"status\""},
    {LINES, "lines", "N", "of a job that has output already, begin N events before (default: 10)"},
    {0},
};

struct request {
    const struct cli_command *self;
    struct cli_common common;
    struct tail_wants wants;
    const char *lines;
};

static int add_name(const struct cli_command *self, struct tail_names *names, const char *option,
                    const char *value)
{
    if (!*value)
        return cli_usage(self, "--%s is empty", option);
    if (names->n == TAIL_NAMES_MAX)
        return cli_usage(self, "--%s is given too often; allowed: %d times", option,
                         TAIL_NAMES_MAX);
    names->name[names->n++] = value;
    return CLI_GO;
}

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    int rc;
    switch (id) {
    case QUEUE:
        rc = cli_check_queue(r->self, "--queue ", value);
        return rc == CLI_GO ? add_name(r->self, &r->wants.queues, "queue", value) : rc;
    case CLASS:
        return add_name(r->self, &r->wants.classes, "class", value);
    case TYPE:
        return add_name(r->self, &r->wants.types, "type", value);
    default:
        r->lines = value;
        return CLI_GO;
    }
}

static int check(struct request *r, char **jids, int n)
{
    char *end = NULL;
    r->wants.lines = LINES_DEFAULT;
    if (r->lines) {
        r->wants.lines = strtoll(r->lines, &end, 10);
        if (!*r->lines || *end || r->wants.lines < 1 || r->wants.lines > LINES_MAX)
            return cli_usage(r->self, "--lines \"%s\" is not allowed; allowed: 1 to %d", r->lines,
                             LINES_MAX);
    }
    if (n > TAIL_JIDS_MAX)
        return cli_usage(r->self, "%d jids are too many; allowed: %d, or none for all jobs", n,
                         TAIL_JIDS_MAX);
    for (int i = 0; i < n; i++)
        if (!*jids[i] || strlen(jids[i]) > JOB_JID_MAX)
            return cli_usage(r->self, "\"%s\" is not a jid; allowed: 1 to %d bytes", jids[i],
                             JOB_JID_MAX);
    r->wants.jids = (const char *const *)jids;
    r->wants.njids = (size_t)n;
    return CLI_GO;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {.self = self};
    struct session session = {0};
    struct err err = {""};
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc == CLI_GO)
        rc = check(&r, argv + optind, argc - optind);
    if (rc == CLI_GO)
        rc = session_load(&session, &r.common);
    if (rc != CLI_GO)
        return rc;
    r.wants.json = r.common.json;
    int code = tail_run(&session, &r.wants, &err);
    session_close(&session);
    return code == -EPIPE ? CLI_DONE : cli_fail(code, &err); /* whoever read it has had enough */
}

const struct cli_command cmd_tail = {
    .name = "tail",
    .summary = "Print the output of many jobs, live, one event a line",
    .usage = "[JID...] [OPTIONS]",
    .details =
        "Of all jobs, or of those that jids and filters mean; of each kind of filter one has\n"
        "to hold. A line is the time of its arrival, the jid, the class (\"-\" when it is not\n"
        "known) and the event; on a terminal it is cut to the width. With --json each line is\n"
        "{\"time\":...,\"jid\":...,\"class\":...,\"queue\":...,\"id\":N,\"event\":...}.\n"
        "Ctrl-C ends it, and so does the end of whoever reads its output.\n"
        "\n"
        "What puts out nothing is not seen: a job that is not tracked and emits nothing, one\n"
        "whose handler says stream: false, and a failure that will be tried again, until the\n"
        "next try emits something. Class and queue come from a job's record, which tracked\n"
        "jobs have: others are shown without, but not with --class or --queue. When a job is\n"
        "heard of for the first time, its last --lines events are shown; or, when it has\n"
        "begun since, or no record tells, the last 1,000, which is what a job may put out at\n"
        "once. sluice follow JID shows all of one job.\n"
        "\n"
        "An outage of Redis is waited for and said, and jobs that were followed go on where\n"
        "they were; jobs that began and ended meanwhile are missed. So are jobs when there is\n"
        "more output than is read, for Redis' sake (2,000 jobs or 8 MB a second): that is\n"
        "said, too.\n",
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
