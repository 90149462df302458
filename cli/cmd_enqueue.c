/* sluice enqueue */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/job_record.h"
#include "cli/job_send.h"
#include "cli/session.h"
#include "cli/time_text.h"
#include "job/envelope.h"

enum {
    COUNT_MAX = 10000000,
    LISTED_MAX = 20,      /* jids printed one by one; beyond that a summary */
    PROGRESS_FROM = 5000, /* jobs; fewer are done before one could read it */
};

enum { ARGS = CLI_OPTION, QUEUE, IN, AT, RETRY, COUNT, FROM_FILE, TRACK, WAIT };

static const struct cli_option options[] = {
    {ARGS, "args", "JSON", "the arguments as a JSON array, kept byte for byte"},
    {QUEUE, "queue", "Q", "the queue (default: default)"},
    {IN, "in", "DURATION", "run it later: seconds, or 10s, 5m, 1h30m, 2d"},
    {AT, "at", "TIME", "run it at a time: Unix seconds or RFC 3339 with its zone"},
    {RETRY, "retry", "N|false", "retries after a failure; false: a failure drops the job"},
    {COUNT, "count", "N", "enqueue it N times, each with a jid of its own"},
    {FROM_FILE, "file", "FILE", "enqueue the job objects in FILE, one per line; - is stdin"},
    {TRACK, "track", NULL, "keep its state and result in sluice:job:<jid>"},
    {WAIT, "wait", NULL, "track it, wait until it ends, and print its result"},
    {0},
};

/* What was asked for; texts as they were given. */
struct request {
    struct cli_common common;
    const char *value[TRACK - ARGS]; /* by id - ARGS; NULL = not given */
    bool track, wait;
    char **argument; /* CLASS [ARG…] */
    int narguments;
    /* Derived: */
    const char *queue;
    double delay_s;
    uint64_t count;
};

static const char *given(const struct request *r, int id)
{
    return r->value[id - ARGS];
}

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    if (id == TRACK || id == WAIT)
        r->track = true;
    if (id == WAIT)
        r->wait = true;
    if (id < TRACK)
        r->value[id - ARGS] = value;
    return CLI_GO;
}

/* ---- Checks: everything that can be wrong without asking Redis ------------------------------ */

/* A plain decimal integer lo..hi. */
static bool read_count(const char *text, int64_t lo, int64_t hi, int64_t *ret)
{
    size_t n = strlen(text);
    if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
        return false;
    int64_t value = strtoll(text, NULL, 10);
    if (value < lo || value > hi)
        return false;
    *ret = value;
    return true;
}

static int check_file_request(const struct cli_command *cmd, const struct request *r)
{
    if (r->narguments > 0)
        return cli_usage(cmd, "--file and a class exclude each other: classes come from the file");
    for (const struct cli_option *o = options; o->name; o++)
        if (o->id != QUEUE && o->id != FROM_FILE &&
            (o->id == TRACK  ? r->track
             : o->id == WAIT ? r->wait
                             : !!given(r, o->id)))
            return cli_usage(cmd,
                             "--file and --%s exclude each other: each line of the file is a whole "
                             "job; allowed beside it: --queue",
                             o->name);
    return CLI_GO;
}

static int check_args(const struct cli_command *cmd, const struct request *r)
{
    struct err err = {""};
    enum json_type type;
    const char *args = given(r, ARGS);
    for (int i = 0; i < r->narguments; i++)
        if (!utf8_ok(slice_of(r->argument[i])))
            return cli_usage(cmd, "argument %d is not UTF-8, which JSON cannot carry", i);
    if (!args)
        return CLI_GO;
    if (r->narguments > 1)
        return cli_usage(cmd, "--args and arguments exclude each other: put \"%s\" into the array",
                         r->argument[1]);
    if (json_scan(slice_of(args), &type, NULL, NULL, &err) != 0)
        return cli_usage(cmd, "--args: %s; allowed: an array like '[1,\"two\"]'", err.text);
    return type == JSON_ARRAY
               ? CLI_GO
               : cli_usage(cmd, "--args is not an array; allowed: one like '[1,\"two\"]'");
}

static int check_times(const struct cli_command *cmd, struct request *r)
{
    struct err err = {""};
    double at;
    if (given(r, IN) && given(r, AT))
        return cli_usage(cmd, "--in and --at exclude each other");
    if (given(r, IN) && duration_parse(given(r, IN), &r->delay_s, &err) != 0)
        return cli_usage(cmd, "--in: %s", err.text);
    if (given(r, AT) && time_parse(given(r, AT), &at, &err) != 0)
        return cli_usage(cmd, "--at: %s", err.text);
    return CLI_GO;
}

static int check(const struct cli_command *cmd, struct request *r)
{
    const char *retry = given(r, RETRY), *count = given(r, COUNT);
    int64_t n = 1;
    r->queue = given(r, QUEUE) ? given(r, QUEUE) : "default";
    if (cli_check_queue(cmd, "--queue ", r->queue) != CLI_GO)
        return CLI_USAGE;
    if (given(r, FROM_FILE)) {
        r->count = 1;
        return check_file_request(cmd, r);
    }
    if (r->narguments == 0)
        return cli_usage(cmd, "a class is missing; as in: sluice enqueue checksum /etc/hosts");
    if (retry && strcmp(retry, "false") != 0 && strcmp(retry, "true") != 0 &&
        !read_count(retry, 0, INT32_MAX, &n))
        return cli_usage(cmd, "--retry \"%s\" is not allowed; allowed: 0 to %d, true or false",
                         retry, INT32_MAX);
    n = 1;
    if (count && !read_count(count, 1, COUNT_MAX, &n))
        return cli_usage(cmd, "--count \"%s\" is not allowed; allowed: 1 to %d", count, COUNT_MAX);
    if (r->wait && n > 1)
        return cli_usage(cmd, "--wait and --count exclude each other: it waits for one job");
    r->count = (uint64_t)n;
    int rc = check_times(cmd, r);
    return rc == CLI_GO ? check_args(cmd, r) : rc;
}

/* ---- The jobs ------------------------------------------------------------------------------- */

static void put_args(const struct request *r, struct buf *out)
{
    if (given(r, ARGS)) {
        buf_puts(out, given(r, ARGS));
        return;
    }
    buf_putc(out, '[');
    for (int i = 1; i < r->narguments; i++) {
        if (i > 1)
            buf_putc(out, ',');
        json_put_string(out, slice_of(r->argument[i]), SIZE_MAX);
    }
    buf_putc(out, ']');
}

/* The job of the command line as one object, like a line of a file. */
static int list_one(const struct cli_command *cmd, const struct request *r, struct job_list *list)
{
    struct err err = {""};
    struct buf job = {0};
    double at = 0;
    buf_puts(&job, "{\"class\":");
    json_put_string(&job, slice_of(r->argument[0]), SIZE_MAX);
    buf_puts(&job, ",\"args\":");
    put_args(r, &job);
    if (given(r, RETRY))
        buf_printf(&job, ",\"retry\":%s", given(r, RETRY));
    if (r->track)
        buf_puts(&job, ",\"track\":true");
    int rc = given(r, AT) ? time_parse(given(r, AT), &at, &err) : 0;
    if (at > 0) {
        buf_puts(&job, ",\"at\":");
        job_put_time(&job, at);
    }
    buf_putc(&job, '}');
    if (rc == 0)
        rc = buf_error(&job);
    if (rc == 0)
        rc = job_list_add(list, buf_slice(&job), &err);
    buf_release(&job);
    if (rc == 0)
        return CLI_GO;
    return rc == -EBADMSG ? cli_usage(cmd, "%s", err.text) : cli_fail(rc, &err);
}

static int list_file(const struct request *r, struct job_list *list)
{
    struct err err = {""};
    const char *name = given(r, FROM_FILE);
    bool is_stdin = strcmp(name, "-") == 0;
    FILE *in = is_stdin ? stdin : fopen(name, "re");
    if (!in) {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
        return CLI_USAGE;
    }
    int rc = job_list_read(list, in, is_stdin ? "stdin" : name, &err);
    if (!is_stdin)
        (void)fclose(in); /* only read from */
    if (rc == 0)
        return CLI_GO;
    /* As it is: FILE:LINE in front, where editors and scripts look for it. */
    fprintf(stderr, "%s\n", err.text);
    return rc == -EBADMSG ? CLI_USAGE : CLI_FAILED;
}

/* ---- The answer ------------------------------------------------------------------------------ */

static void print_jids(const struct job_sending *s, uint64_t n)
{
    struct buf out = {0};
    buf_puts(&out, "{\"jids\":[");
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&out, ',');
        json_put_string(&out, slice_of(s->jid[i]), SIZE_MAX);
    }
    buf_puts(&out, "]}");
    cli_print(&out);
    buf_release(&out);
}

static void print_summary(const struct job_sending *s)
{
    uint64_t now = s->sent - s->scheduled;
    char queue[JOB_QUEUE_MAX + 16];
    if (s->list->nqueues == 1)
        (void)snprintf(queue, sizeof queue, "queue %s", s->list->queue[0]);
    else
        (void)snprintf(queue, sizeof queue, "%zu queues", s->list->nqueues);
    if (s->scheduled == 0)
        printf("enqueued %" PRIu64 " jobs on %s\n", now, queue);
    else if (now == 0)
        printf("scheduled %" PRIu64 " jobs for %s\n", s->scheduled, queue);
    else
        printf("enqueued %" PRIu64 " and scheduled %" PRIu64 " jobs on %s\n", now, s->scheduled,
               queue);
}

/* What is certain and what is not: a repetition could double jobs, so the user decides. */
static int fail_partly(const struct job_sending *s, uint64_t n, int code, struct err *err)
{
    if (n == 1 && code == -ENOTCONN && s->in_flight > 0)
        err_set(err, code, "%s; whether the job was enqueued is unknown", err->text);
    else if (code == -ENOTCONN && s->in_flight > 0)
        err_set(err, code,
                "%s; %" PRIu64 " of %" PRIu64 " jobs were enqueued, and up to %" PRIu64
                " more may have been",
                err->text, s->sent, n, s->in_flight);
    else if (n > 1)
        err_set(err, code, "%s; %" PRIu64 " of %" PRIu64 " jobs were enqueued", err->text, s->sent,
                n);
    return cli_fail(code, err);
}

static int send_list(const struct request *r, const struct session *session,
                     const struct job_list *list)
{
    struct err err = {""};
    const uint64_t n = list->n * r->count;
    struct job_sending s = {.list = list, .repeat = r->count, .delay_s = r->delay_s};
    bool listed = r->common.json || n <= LISTED_MAX;
    if (n >= PROGRESS_FROM)
        s.progress = progress_of_stderr();
    if (listed && !(s.jid = calloc(n ? n : 1, sizeof *s.jid)))
        return cli_fail(-ENOMEM, &err);

    int code = job_send(&s, session, &err);
    int rc = CLI_DONE;
    if (code != 0)
        rc = fail_partly(&s, n, code, &err);
    else if (r->wait)
        rc = job_wait(session, s.jid[0], r->common.json);
    else if (r->common.json)
        print_jids(&s, n);
    else if (!listed)
        print_summary(&s);
    else
        for (uint64_t i = 0; i < n; i++)
            puts(s.jid[i]);
    for (uint64_t i = 0; listed && i < n; i++)
        free(s.jid[i]);
    free(s.jid);
    return rc;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {0};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc != CLI_GO)
        return rc;
    r.argument = argv + optind;
    r.narguments = argc - optind;
    rc = check(self, &r);
    if (rc == CLI_GO)
        rc = session_load(&session, &r.common);
    if (rc != CLI_GO)
        return rc;

    struct job_list list = {.default_queue = r.queue, .max_payload = session.conf->max_payload};
    rc = given(&r, FROM_FILE) ? list_file(&r, &list) : list_one(self, &r, &list);
    if (rc == CLI_GO && list.n == 0 && !r.common.json) {
        puts("no jobs in it: nothing was enqueued");
        rc = CLI_DONE;
    }
    if (rc == CLI_GO)
        rc = session_connect(&session);
    if (rc == CLI_GO)
        rc = send_list(&r, &session, &list);
    job_list_release(&list);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_enqueue = {
    .name = "enqueue",
    .summary = "Enqueue one job, the same job many times, or a file of jobs",
    .usage = "CLASS [ARG...] [OPTIONS]\n       sluice enqueue --file FILE [--queue Q]",
    .details =
        "Each ARG becomes a JSON string; other types are given by --args. Write -- before an\n"
        "ARG that begins with a dash. Up to 20 jids are printed one per line, of more jobs a\n"
        "summary; --json prints them all: {\"jids\":[...]}.\n"
        "\n"
        "--wait prints the job's result, or with --json its record, and ends with 0 when it\n"
        "completed, else with 1.\n"
        "\n"
        "In a file (NDJSON) `class` and `args` are required, `queue` and `at` are obeyed, and\n"
        "all other members are kept. A bad line is an error, and nothing is enqueued then.\n"
        "\n"
        "Examples:\n"
        "  sluice enqueue checksum /etc/hosts --wait\n"
        "  sluice enqueue add --args '[1, {\"b\": 2}]' --queue critical\n"
        "  sluice enqueue report --in 10m --retry 3\n"
        "  sluice enqueue report --at 2030-01-31T08:00:00+01:00\n"
        "  printf '{\"class\":\"noop\",\"args\":[%d]}\\n' 1 2 3 | sluice enqueue --file -\n",
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
