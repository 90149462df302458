/* sluice pause, sluice unpause */
#include <getopt.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/session.h"
#include "store/pause.h"

static void print_outcome(bool json, struct buf *out, const char *queue, bool paused, bool changed)
{
    static const char *const words[2][2] = {{"active, as it was", "active"},
                                            {"paused, as it was", "paused"}};
    if (!json) {
        printf("%s: %s\n", queue, words[paused][changed]);
        return;
    }
    buf_puts(out, out->n > 0 ? ",{\"queue\":" : "[{\"queue\":");
    json_put_string(out, slice_of(queue), SIZE_MAX);
    buf_printf(out, ",\"paused\":%s,\"changed\":%s}", paused ? "true" : "false",
               changed ? "true" : "false");
}

static int pause_all(const struct session *session, bool json, char **queues, int n, bool paused)
{
    struct buf out = {0};
    struct err err = {""};
    int rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        bool changed = false;
        rc = store_pause(session->store, session->redis, queues[i], paused, &changed, &err);
        if (rc == 0)
            print_outcome(json, &out, queues[i], paused, changed);
    }
    if (out.n > 0) {
        buf_putc(&out, ']');
        cli_print(&out);
    }
    buf_release(&out);
    return rc == 0 ? CLI_DONE : cli_fail(rc, &err);
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &common, NULL, NULL);
    if (rc != CLI_GO)
        return rc;
    if (optind == argc)
        return cli_usage(self, "a queue is wanted; as in: sluice %s default", self->name);
    for (int i = optind; rc == CLI_GO && i < argc; i++)
        rc = cli_check_queue(self, "", argv[i]);
    if (rc == CLI_GO)
        rc = session_open(&session, &common);
    if (rc == CLI_GO)
        rc = pause_all(&session, common.json, argv + optind, argc - optind, self == &cmd_pause);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_pause = {
    .name = "pause",
    .summary = "Let nobody take jobs from a queue",
    .usage = "QUEUE... [OPTIONS]",
    .details =
        "Jobs that run go on, and jobs may be enqueued. It holds until sluice unpause, also for\n"
        "workers that start later. A queue that does not exist yet may be paused, too.\n",
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};

const struct cli_command cmd_unpause = {
    .name = "unpause",
    .summary = "Let workers take jobs from a paused queue again",
    .usage = "QUEUE... [OPTIONS]",
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
