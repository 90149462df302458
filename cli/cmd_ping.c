/* sluice ping */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/orders.h"
#include "cli/table.h"
#include "cli/time_text.h"

enum { TIMEOUT = CLI_OPTION, ANSWER_MS = 2000 };

static const struct cli_option options[] = {
    {TIMEOUT, "timeout", "DURATION", "wait at most so long for answers (default: 2s)"},
    {0},
};

struct request {
    struct cli_common common;
    const char *timeout;
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    if (id == TIMEOUT)
        r->timeout = value;
    return CLI_GO;
}

static void add_row(struct table *t, const struct told_worker *w)
{
    char uptime[DURATION_TEXT], after[DURATION_TEXT];
    table_cell(t, TONE_PLAIN, "%s", w->identity);
    if (!told_obeyed(w)) {
        table_cell(t, TONE_BAD, "%s", w->error ? w->error : "no answer");
        for (int i = 0; i < 7; i++)
            table_cell(t, TONE_PLAIN, "-");
        return;
    }
    table_cell(t, w->stopping || w->quiet ? TONE_WARN : TONE_GOOD, "%s",
               w->stopping ? "stopping"
               : w->quiet  ? "quiet"
                           : "running");
    table_cell(t, TONE_PLAIN, "%s", duration_text(w->after_ms / 1000, after));
    table_cell(t, TONE_PLAIN, "%" PRId64 "/%" PRId64, w->busy, w->threads);
    table_cell(t, TONE_PLAIN, "%" PRId64 "/%" PRId64, w->permits_in_use, w->permits);
    table_cell(t, w->permits_waiting > 0 ? TONE_WARN : TONE_PLAIN, "%" PRId64, w->permits_waiting);
    table_cell(t, TONE_PLAIN, "%s", w->log_level ? w->log_level : "-");
    table_cell(t, TONE_PLAIN, "%s", duration_text(w->uptime_s, uptime));
    table_cell(t, TONE_PLAIN, "%s", w->version ? w->version : "-");
}

static int print_text(const struct session *session, const struct told *told)
{
    static const struct table_column columns[] = {
        {.title = "Worker", .shrinks = true},
        {.title = "State"},
        {.title = "Answer", .right = true},
        {.title = "Busy", .right = true},
        {.title = "Permits", .right = true},
        {.title = "Waiting", .right = true},
        {.title = "Log"},
        {.title = "Up", .right = true},
        {.title = "Version"},
    };
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    int rc = CLI_DONE;
    struct table t = {.column = columns, .columns = sizeof columns / sizeof columns[0]};
    if (told->n == 0)
        printf("No workers on %s: start one with sluice-worker.\n", buf_str(&session->where));
    for (size_t i = 0; i < told->n; i++) {
        add_row(&t, &told->worker[i]);
        if (!told_obeyed(&told->worker[i]))
            rc = CLI_FAILED;
    }
    if (told->n > 0)
        table_print(&t, &terminal);
    table_release(&t);
    return rc;
}

static int ping(const struct request *r, const struct session *session, const char *word,
                double timeout_s)
{
    struct told told = {0};
    struct err err = {""};
    char *identity = NULL;
    int code = word ? worker_named(session, word, &identity, &err) : 0;
    if (code == 0)
        code = orders_give(session, session->redis, identity, (struct order){.cmd = ORDER_PING},
                           (int64_t)(timeout_s * 1000), &told, &err);
    int rc = CLI_DONE;
    bool any = told.n > 0;
    if (code == 0)
        rc = r->common.json ? told_print_json(&told) : print_text(session, &told);
    told_release(&told);
    free(identity);
    if (code != 0)
        return cli_fail(code, &err);
    return any ? rc : CLI_FAILED;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {0};
    struct session session = {0};
    struct err err = {""};
    double timeout_s = ANSWER_MS / 1000.0;
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc != CLI_GO)
        return rc;
    if (argc - optind > 1)
        return cli_usage(self, "one worker, or none for all; as in: sluice ping web-1:");
    if (r.timeout && duration_parse(r.timeout, &timeout_s, &err) != 0)
        return cli_usage(self, "--timeout: %s", err.text);
    rc = session_open(&session, &r.common);
    if (rc == CLI_GO)
        rc = ping(&r, &session, optind < argc ? argv[optind] : NULL, timeout_s);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_ping = {
    .name = "ping",
    .summary = "Ask workers how they are, and whether they hear",
    .usage = "[WORKER] [OPTIONS]",
    .details =
        "Each worker that holds a lease is asked by the control channel. Busy is jobs that run of\n"
        "threads; Permits is operations on Redis under way of those allowed at once, Waiting how\n"
        "many more want one. WORKER is an identity as in sluice workers, or its beginning.\n"
        "Exit status: 0 all answered, 1 not all did, or there is none.\n",
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
