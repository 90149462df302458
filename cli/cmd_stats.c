/* sluice stats */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/human.h"
#include "cli/session.h"
#include "cli/table.h"
#include "store/inspect_json.h"

static void count_cell(struct table *t, enum tone tone, int64_t n)
{
    char text[HUMAN_TEXT];
    table_cell(t, tone, "%s", human_count(n, text));
}

static void print_done(const struct store_stats *s, const struct terminal *terminal)
{
    static const struct table_column columns[] = {
        {.title = "Done"}, {.title = "Today", .right = true}, {.title = "Ever", .right = true}};
    struct table t = {.column = columns, .columns = 3};
    table_cell(&t, TONE_PLAIN, "  processed");
    count_cell(&t, TONE_PLAIN, s->processed_today);
    count_cell(&t, TONE_PLAIN, s->processed);
    table_cell(&t, TONE_PLAIN, "  failed");
    count_cell(&t, s->failed_today > 0 ? TONE_WARN : TONE_PLAIN, s->failed_today);
    count_cell(&t, TONE_PLAIN, s->failed);
    table_print(&t, terminal);
    table_release(&t);
}

static void print_waiting(const struct store_stats *s, const struct terminal *terminal)
{
    static const struct table_column columns[] = {
        {.title = "Now"}, {.title = "Jobs", .right = true}, {.title = ""}};
    const struct {
        const char *name;
        int64_t n;
        const char *meaning;
        enum tone tone;
    } rows[] = {
        {"enqueued", s->enqueued, "in the queues", TONE_PLAIN},
        {"claimed", s->claimed, "taken by workers, not settled yet", TONE_PLAIN},
        {"scheduled", s->scheduled, "due later", TONE_PLAIN},
        {"retries", s->retries, "failed, due again", TONE_WARN},
        {"dead", s->dead, "failed for good, kept", TONE_BAD},
    };
    struct table t = {.column = columns, .columns = 3};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        table_cell(&t, TONE_PLAIN, "  %s", rows[i].name);
        count_cell(&t, rows[i].n > 0 ? rows[i].tone : TONE_PLAIN, rows[i].n);
        table_cell(&t, TONE_DIM, "%s", rows[i].meaning);
    }
    table_print(&t, terminal);
    table_release(&t);
}

static void print_text(const struct session *session, const struct store_stats *s)
{
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    char workers[HUMAN_TEXT], busy[HUMAN_TEXT];
    printf("Redis    %s\n", buf_str(&session->where));
    if (s->workers == 0)
        printf("Workers  none have reported: start one with sluice-worker\n\n");
    else
        printf("Workers  %s, running %s job%s\n\n", human_count(s->workers, workers),
               human_count(s->busy, busy), s->busy == 1 ? "" : "s");
    print_waiting(s, &terminal);
    putchar('\n');
    print_done(s, &terminal);
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

    struct store_stats stats;
    struct err err = {""};
    int code = store_stats(session.store, session.redis, &stats, &err);
    if (code != 0)
        rc = cli_fail(code, &err);
    else {
        struct buf out = {0};
        if (common.json) {
            inspect_put_stats(&out, &stats);
            cli_print(&out);
        } else {
            print_text(&session, &stats);
        }
        buf_release(&out);
        rc = CLI_DONE;
    }
    session_close(&session);
    return rc;
}

const struct cli_command cmd_stats = {
    .name = "stats",
    .summary = "Show figures of the whole system",
    .usage = "[OPTIONS]",
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
