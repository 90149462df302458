/* sluice fsck */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/time_text.h"
#include "store/fsck.h"

enum { OPTION_REPAIR = CLI_OPTION };

struct check {
    struct cli_common common;
    bool repair;
    struct terminal terminal; /* of stdout */
    struct progress progress;
    uint64_t printed;
};

static int own_option(void *ctx, int id, const char *value)
{
    struct check *check = ctx;
    (void)value;
    if (id == OPTION_REPAIR)
        check->repair = true;
    return CLI_GO;
}

/* ---- Progress ------------------------------------------------------------------------------- */

static void draw(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct check *check = ctx;
    char count[HUMAN_TEXT], of[HUMAN_TEXT];
    progress_draw(&check->progress, "%s: %s of %s", stage, human_count((int64_t)done, count),
                  human_count((int64_t)total, of));
}

/* ---- Findings ------------------------------------------------------------------------------- */

static const char *const states[] = {
    [FSCK_LEFT] = "found",
    [FSCK_REPAIRED] = "repaired",
    [FSCK_NOTE] = "note",
};

static void put_json(const struct fsck_finding *finding, struct buf *out)
{
    buf_printf(out, "{\"code\":\"%s\",\"state\":\"%s\",\"key\":", finding->code,
               states[finding->state]);
    json_put_string(out, finding->key, SIZE_MAX);
    buf_printf(out, ",\"count\":%" PRIu64 ",\"what\":", finding->count);
    json_put_string(out, slice_of(finding->what), SIZE_MAX);
    buf_puts(out, ",\"why\":");
    json_put_string(out, slice_of(finding->why), SIZE_MAX);
    buf_printf(out, ",\"repairable\":%s,\"remedy\":", finding->repairable ? "true" : "false");
    json_put_string(out, slice_of(finding->remedy), SIZE_MAX);
    buf_puts(out, ",\"sample\":");
    if (finding->sample.n > 0)
        json_put_string(out, finding->sample, FSCK_SAMPLE_MAX);
    else
        buf_puts(out, "null");
    buf_putc(out, '}');
}

static void put_text(const struct check *check, const struct fsck_finding *finding, struct buf *out)
{
    static const enum tone tones[] = {
        [FSCK_LEFT] = TONE_BAD, [FSCK_REPAIRED] = TONE_GOOD, [FSCK_NOTE] = TONE_DIM};
    const struct terminal *t = &check->terminal;
    enum tone tone = tones[finding->state];
    const char *remedy = !finding->repairable              ? "To do"
                         : finding->state == FSCK_REPAIRED ? "Repair"
                         : check->repair                   ? "Failed"
                                                           : "--repair";
    buf_printf(out, "%s%s%s %s: %s;\n    %s.\n    %s: %s.\n", tone_begin(t, tone),
               states[finding->state], tone_end(t, tone), finding->code, finding->what,
               finding->why, remedy, finding->remedy);
    if (finding->sample.n > 0) {
        buf_puts(out, "    For example: ");
        json_put_string(out, finding->sample, FSCK_SAMPLE_MAX);
        buf_putc(out, '\n');
    }
}

static void print_finding(void *ctx, const struct fsck_finding *finding)
{
    struct check *check = ctx;
    struct buf text = {0};
    if (check->common.json) {
        buf_puts(&text, check->printed > 0 ? "," : "");
        put_json(finding, &text);
    } else {
        put_text(check, finding, &text);
    }
    check->printed++;
    progress_erase(&check->progress);
    (void)fwrite(text.p, 1, text.n, stdout); /* main() asks whether stdout has failed */
    (void)fflush(stdout);
    buf_release(&text);
}

static void print_summary(const struct check *check, const struct fsck_result *r, double seconds)
{
    char keys[HUMAN_TEXT], elements[HUMAN_TEXT], took[DURATION_TEXT];
    uint64_t left = r->found - r->repaired;
    printf("%sChecked %s keys and %s waiting jobs in %s: ", check->printed > 0 ? "\n" : "",
           human_count((int64_t)r->keys, keys), human_count((int64_t)r->elements, elements),
           duration_text(seconds, took));
    if (r->found == 0)
        puts("the books are in order.");
    else if (check->repair)
        printf("%" PRIu64 " finding%s, %" PRIu64 " repaired, %" PRIu64 " left.\n", r->found,
               r->found == 1 ? "" : "s", r->repaired, left);
    else
        printf("%" PRIu64 " finding%s; nothing was changed. sluice fsck --repair repairs what can "
               "be.\n",
               r->found, r->found == 1 ? "" : "s");
}

static int fsck(struct check *check, const struct session *session)
{
    const struct fsck_options options = {
        .repair = check->repair,
        .max_payload = session->conf->max_payload,
        .lease_s = session->conf->lease,
        .stream_ttl_s = session->conf->stream_ttl,
        .finding = print_finding,
        .progress = draw,
        .ctx = check,
    };
    struct fsck_result result;
    struct err err = {""};
    int64_t began = clock_now_ns();
    if (check->common.json)
        fputs("{\"findings\":[", stdout);
    int rc = store_fsck(session->store, session->redis, &options, &result, &err);
    progress_erase(&check->progress);
    if (rc != 0) {
        if (check->common.json)
            puts("],\"complete\":false}");
        return cli_fail(rc, &err);
    }
    if (check->common.json)
        printf("],\"complete\":true,\"keys\":%" PRIu64 ",\"elements\":%" PRIu64
               ",\"found\":%" PRIu64 ",\"repaired\":%" PRIu64 ",\"left\":%" PRIu64 "}\n",
               result.keys, result.elements, result.found, result.repaired,
               result.found - result.repaired);
    else
        print_summary(check, &result, (double)(clock_now_ns() - began) / (double)NS_PER_S);
    return result.found == result.repaired ? CLI_DONE : CLI_FAILED;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct check check = {.terminal = terminal_of(STDOUT_FILENO), .progress = progress_of_stderr()};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &check.common, own_option, &check);
    if (rc == CLI_GO)
        rc = session_open(&session, &check.common);
    if (rc != CLI_GO)
        return rc;
    rc = fsck(&check, &session);
    session_close(&session);
    return rc;
}

static const struct cli_option options[] = {
    {OPTION_REPAIR, "repair", NULL, "repair what can be, instead of only saying what would be"},
    {0},
};

const struct cli_command cmd_fsck = {
    .name = "fsck",
    .summary = "Check the books in Redis, and repair them",
    .usage = "[OPTIONS]",
    .details =
        "Looks for what Sluice itself never leaves behind, but people, other clients, restored\n"
        "backups and lost tails of an append-only file do: claims, registries and leases that\n"
        "nobody would find, dead workers that nobody recovers, jobs on trial without a worker,\n"
        "elements that are no jobs, keys of the wrong type, queues that dashboards do not see,\n"
        "due times in milliseconds, keys that should expire, tracked jobs that are nowhere.\n"
        "\n"
        "It reads in small pages and may run while workers do; each suspicion is looked at again\n"
        "before it is reported. Nothing is changed without --repair, and nothing is deleted with\n"
        "it: what is no job goes to the dead set, which keeps the newest 10,000, and keys of the\n"
        "wrong type are renamed to sluice:quarantine:KEY:MILLISECONDS. Recovering a dead worker\n"
        "first watches Redis for one lease.\n"
        "\n"
        "Give --config FILE of the workers: worker.lease, worker.max_payload (what is larger is "
        "no\n"
        "job) and worker.stream_ttl are taken from it.\n"
        "\n"
        "Exit codes: 0 nothing found, or all repaired; 1 findings are left; 2 bad usage or\n"
        "configuration; 69 Redis cannot be reached.\n",
    .options = options,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
