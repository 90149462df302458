/* sluice clear */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/confirm.h"
#include "cli/human.h"
#include "cli/session.h"
#include "store/clear.h"

enum { YES = CLI_OPTION };

static const struct cli_option options[] = {
    {YES, "yes", NULL, "do not ask"},
    {0},
};

struct request {
    struct cli_common common;
    bool yes;
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    (void)value;
    if (id == YES)
        r->yes = true;
    return CLI_GO;
}

static void print_outcome(const struct request *r, const char *queue, int64_t n)
{
    struct buf out = {0};
    char count[HUMAN_TEXT];
    if (r->common.json) {
        buf_puts(&out, "{\"queue\":");
        json_put_string(&out, slice_of(queue), SIZE_MAX);
        buf_printf(&out, ",\"deleted\":%" PRId64 "}", n);
    } else {
        buf_printf(&out, "%s: %s job%s deleted", queue, human_count(n, count), n == 1 ? "" : "s");
    }
    cli_print(&out);
    buf_release(&out);
}

static int clear(const struct cli_command *self, const struct request *r, struct session *session,
                 const char *queue)
{
    struct err err = {""};
    char count[HUMAN_TEXT];
    int64_t n = 0;
    int code = store_queue_size(session->store, session->redis, queue, &n, &err);
    if (code == 0 && n > 0) {
        int rc = confirm(self, r->yes, "Delete %s job%s of the queue %s", human_count(n, count),
                         n == 1 ? "" : "s", queue);
        if (rc != CLI_GO)
            return rc;
        code = store_queue_clear(session->store, session->redis, queue, &n, &err);
    }
    if (code != 0)
        return cli_fail(code, &err);
    print_outcome(r, queue, n);
    return CLI_DONE;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {0};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc != CLI_GO)
        return rc;
    if (argc - optind != 1)
        return cli_usage(self, "one queue is wanted; as in: sluice clear default");
    rc = cli_check_queue(self, "", argv[optind]);
    if (rc == CLI_GO)
        rc = session_open(&session, &r.common);
    if (rc == CLI_GO)
        rc = clear(self, &r, &session, argv[optind]);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_clear = {
    .name = "clear",
    .summary = "Delete all jobs that wait in a queue",
    .usage = "QUEUE [OPTIONS]",
    .details =
        "They are gone for good, and leave no trace. Jobs that a worker has taken already go on, "
        "and\n"
        "those in schedule and retry are not of the queue yet. It asks before it deletes; where\n"
        "nobody can be asked, --yes has to be given.\n",
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
