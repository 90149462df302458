/* sluice why */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "cli/why.h"

static void print_timeline(const struct why *w)
{
    static const struct table_column columns[] = {
        {.title = ""}, {.title = "", .right = true}, {.title = "", .shrinks = true}};
    struct why_event event[WHY_EVENTS];
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    struct table t = {.column = columns, .columns = 3};
    int n = why_timeline(w, event);
    for (int i = 0; i < n; i++) {
        char date[40] = "", rel[DURATION_TEXT];
        time_t at = (time_t)event[i].at;
        struct tm tm;
        if (gmtime_r(&at, &tm))
            (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
        double ago = w->facts.now - event[i].at;
        table_cell(&t, TONE_DIM, "%s", date);
        table_cell(&t, TONE_DIM, ago < 0 ? "in %s" : "%s ago", duration_text(fabs(ago), rel));
        table_cell(&t, TONE_PLAIN, "%s", event[i].what);
    }
    if (n > 0) {
        putchar('\n');
        table_print(&t, &terminal);
    }
    table_release(&t);
}

static void print_text(const struct why *w, const char *code, struct buf *text)
{
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    static const char *const bad[] = {"dead", "failed", "lost", "removed", "no-worker"};
    enum tone tone = strcmp(code, "completed") == 0 ? TONE_GOOD : TONE_WARN;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (strcmp(code, bad[i]) == 0)
            tone = TONE_BAD;
    buf_putc(text, '\0');
    terminal_clean(text->p);
    printf("%s%s%s: %s\n", tone_begin(&terminal, tone), code, tone_end(&terminal, tone),
           buf_str(text));
    print_timeline(w);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text && *text)
        json_put_string(out, slice_of(text), SIZE_MAX);
    else
        buf_puts(out, "null");
}

static void put_json(const struct why *w, const char *code, const struct buf *text, struct buf *out)
{
    struct why_event event[WHY_EVENTS];
    int n = why_timeline(w, event);
    const char *klass = w->has_envelope ? w->e.klass : w->record.klass;
    buf_puts(out, "{\"jid\":");
    json_put_string(out, slice_of(w->jid), SIZE_MAX);
    buf_printf(out, ",\"reason\":\"%s\",\"text\":", code);
    json_put_string(out, buf_slice(text), SIZE_MAX);
    put_member(out, "class", klass);
    put_member(out, "queue", w->queue);
    put_member(out, "worker", w->worker);
    if (w->position >= 0)
        buf_printf(out, ",\"position\":%" PRId64, w->position);
    else
        buf_puts(out, ",\"position\":null");
    buf_puts(out, ",\"recovered_from\":[");
    for (size_t i = 0; i < w->facts.recoveries; i++) {
        buf_puts(out, i > 0 ? "," : "");
        json_put_string(out, job_facts_recovered_from(&w->facts, i), SIZE_MAX);
    }
    buf_puts(out, "],\"timeline\":[");
    for (int i = 0; i < n; i++) {
        buf_puts(out, i > 0 ? ",{\"at\":" : "{\"at\":");
        job_put_time(out, event[i].at);
        put_member(out, "what", event[i].what);
        buf_putc(out, '}');
    }
    buf_puts(out, "],\"now\":");
    job_put_time(out, w->facts.now);
    buf_puts(out, ",\"record\":");
    buf_put(out, w->record.json.n > 0 ? w->record.json : slice_of("null"));
    buf_puts(out, ",\"job\":");
    buf_put(out, w->job.n > 0 ? w->job : slice_of("null"));
    buf_putc(out, '}');
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct session session = {0};
    struct why w = {0};
    struct err err = {""};
    int rc = cli_options(self, argc, argv, &common, NULL, NULL);
    if (rc != CLI_GO)
        return rc;
    if (argc - optind != 1 || !*argv[optind])
        return cli_wants_jid(self);
    rc = session_open(&session, &common);
    if (rc != CLI_GO)
        return rc;
    int code = why_look(&session, argv[optind], &w, &err);
    if (code == 0) {
        struct buf text = {0}, out = {0};
        const char *reason = why_tell(&w, &text);
        rc = strcmp(reason, "unknown") == 0 ? CLI_FAILED : CLI_DONE;
        if (common.json) {
            put_json(&w, reason, &text, &out);
            cli_print(&out);
        } else {
            print_text(&w, reason, &text);
        }
        buf_release(&text);
        buf_release(&out);
    } else {
        rc = cli_fail(code, &err);
    }
    why_release(&w);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_why = {
    .name = "why",
    .summary = "Tell where a job is, and why",
    .usage = "JID [OPTIONS]",
    .details =
        "The reason is one of\n"
        "  waiting     in its queue, behind others; paused, quiet, no-worker: and nobody takes it\n"
        "  scheduled   it is to run later; retrying: again, after a failure; due: now\n"
        "  running     a worker has it; recovering: which is gone\n"
        "  trial       its workers died, so it is tried alone\n"
        "  cancelling  an order to cancel it is on its way; expiring: its time is over\n"
        "  completed, dead, failed, cancelled, expired, deleted, removed: how it ended\n"
        "  lost        its record says that it runs, and it is nowhere\n"
        "  unknown     nothing tells of it (exit status 1)\n"
        "and the timeline is what the job and its record tell. Of each queue the next 10,000 jobs\n"
        "are looked through.\n",
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
