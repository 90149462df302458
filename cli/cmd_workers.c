/* sluice workers */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/human.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "store/inspect_json.h"

/* ---- Queues: the array `queues` of the info as "a, b, c" ------------------------------------- */

static int add_queue(void *ctx, const struct json_member *m)
{
    struct buf *out = ctx, name = {0};
    if (m->type == JSON_STRING && json_decode_string(m->value, &name) == 0)
        buf_printf(out, "%s%s", out->n > 0 ? ", " : "", buf_str(&name));
    buf_release(&name);
    return 0;
}

static int find_queues(void *ctx, const struct json_member *m)
{
    enum json_type type;
    if (json_key_is(m->key, "queues") && m->type == JSON_ARRAY)
        return json_scan(m->value, &type, add_queue, ctx, NULL);
    return 0;
}

static void put_queues(const struct worker_info *w, struct buf *out)
{
    enum json_type type;
    if (json_scan(slice_of(w->info), &type, find_queues, out, NULL) != 0 || out->n == 0) {
        buf_clear(out);
        buf_puts(out, "-");
    }
}

/* ---- The table ------------------------------------------------------------------------------ */

static enum tone tone_of(const char *state)
{
    return state[0] == 'r' ? TONE_GOOD : state[0] == 'l' || state[0] == 'g' ? TONE_BAD : TONE_WARN;
}

static void add_row(struct table *t, const struct worker_info *w, double now)
{
    const char *state = worker_info_state(w);
    char kb[HUMAN_TEXT], age[DURATION_TEXT];
    struct buf queues = {0};
    bool reports = w->info[0] != '\0';
    put_queues(w, &queues);
    table_cell(t, TONE_PLAIN, "%s", w->identity);
    bool foreign = !w->sluice && strcmp(state, "running") == 0;
    table_cell(t, tone_of(state), "%s", foreign ? "sidekiq" : state);
    if (reports)
        table_cell(t, TONE_PLAIN, "%" PRId64 "/%" PRId64, w->busy, w->concurrency);
    else
        table_cell(t, TONE_PLAIN, "-");
    table_cell(t, TONE_PLAIN, "%s", reports ? human_kb(w->rss_kb, kb) : "-");
    table_cell(t, TONE_PLAIN, "%s", reports ? duration_text(now - w->beat, age) : "-");
    table_cell(t, TONE_PLAIN, "%s", buf_str(&queues));
    buf_release(&queues);
}

static void print_text(const struct session *session, const struct worker_info *w, size_t n,
                       double now)
{
    static const struct table_column columns[] = {
        {.title = "Worker", .shrinks = true}, {.title = "State"},
        {.title = "Busy", .right = true},     {.title = "Memory", .right = true},
        {.title = "Seen", .right = true},     {.title = "Queues", .shrinks = true},
    };
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    struct table t = {.column = columns, .columns = 6};
    if (n == 0) {
        printf("No workers on %s: start one with sluice-worker.\n", buf_str(&session->where));
        return;
    }
    for (size_t i = 0; i < n; i++)
        add_row(&t, &w[i], now);
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

    struct worker_info *workers = NULL;
    size_t n = 0;
    double now = 0;
    struct err err = {""};
    int code = store_workers(session.store, session.redis, &workers, &n, &err);
    if (code == 0)
        code = store_time(session.redis, &now, &err);
    if (code != 0)
        rc = cli_fail(code, &err);
    else {
        struct buf out = {0};
        if (common.json) {
            inspect_put_workers(&out, workers, n);
            cli_print(&out);
        } else {
            print_text(&session, workers, n, now);
        }
        buf_release(&out);
        rc = CLI_DONE;
    }
    worker_infos_free(workers, n);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_workers = {
    .name = "workers",
    .summary = "List the worker processes and what they do",
    .usage = "[OPTIONS]",
    .details = "States:\n"
               "  running    takes jobs\n"
               "  sidekiq    the same, and is a process of Sidekiq (--json: \"sluice\":false)\n"
               "  quiet      finishes what it has and takes no more\n"
               "  starting   holds a lease and has not reported yet\n"
               "  lost       its lease has lapsed: others give its jobs back to their queues\n"
               "  gone       a Sidekiq process that no longer reports\n",
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
