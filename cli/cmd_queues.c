/* sluice queues */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/human.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "store/inspect_json.h"

static void add_row(struct table *t, const struct queue_info *q)
{
    char size[HUMAN_TEXT], latency[DURATION_TEXT];
    table_cell(t, TONE_PLAIN, "%s", q->name);
    table_cell(t, TONE_PLAIN, "%s", q->wrong_type ? "-" : human_count(q->size, size));
    table_cell(t, TONE_PLAIN, "%s", q->size > 0 ? duration_text(q->latency_s, latency) : "-");
    if (q->wrong_type)
        table_cell(t, TONE_BAD, "its key is not a list");
    else if (q->paused)
        table_cell(t, TONE_WARN, "paused");
    else
        table_cell(t, TONE_PLAIN, "active");
}

static void print_text(const struct session *session, const struct queue_info *q, size_t n)
{
    static const struct table_column columns[] = {
        {.title = "Queue", .shrinks = true},
        {.title = "Jobs", .right = true},
        {.title = "Oldest", .right = true},
        {.title = "State"},
    };
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    struct table t = {.column = columns, .columns = 4};
    if (n == 0) {
        printf("No queues yet on %s: a queue appears with its first job, as by\n"
               "  sluice enqueue noop\n",
               buf_str(&session->where));
        return;
    }
    for (size_t i = 0; i < n; i++)
        add_row(&t, &q[i]);
    table_print(&t, &terminal);
    table_release(&t);
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &common, NULL, NULL);
    if (rc == CLI_GO)
        rc = session_open(&session, &common);
    if (rc != CLI_GO)
        return rc;

    struct queue_info *queues = NULL;
    size_t n = 0;
    struct err err = {""};
    int code = store_queues(session.store, session.redis, &queues, &n, &err);
    if (code != 0)
        rc = cli_fail(code, &err);
    else {
        struct buf out = {0};
        if (common.json) {
            inspect_put_queues(&out, queues, n);
            cli_print(&out);
        } else {
            print_text(&session, queues, n);
        }
        buf_release(&out);
        rc = CLI_DONE;
    }
    queue_infos_free(queues, n);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_queues = {
    .name = "queues",
    .summary = "List the queues, their sizes and how long jobs wait",
    .usage = "[OPTIONS]",
    .details = "Oldest is the age of the next job to run, by the time it was enqueued.\n",
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
