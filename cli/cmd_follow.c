/* sluice follow */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/session.h"
#include "cli/time_text.h"

enum { AFTER = CLI_OPTION, TIMEOUT };

static const struct cli_option options[] = {
    {AFTER, "after", "N", "begin behind event N instead of at the first"},
    {TIMEOUT, "timeout", "DURATION", "give up after seconds, or 10s, 5m, 1h"},
    {0},
};

struct request {
    struct cli_common common;
    const char *after, *timeout;
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    *(id == AFTER ? &r->after : &r->timeout) = value;
    return CLI_GO;
}

struct printer {
    bool json;
    struct buf line;
    struct err err;
    int code; /* why it could not print, or 0 */
};

static int print_event(void *ctx, int64_t id, struct slice event)
{
    struct printer *p = ctx;
    buf_clear(&p->line);
    if (p->json)
        buf_printf(&p->line, "{\"id\":%" PRId64 ",\"event\":", id);
    cli_put_flat(&p->line, event);
    if (p->json)
        buf_putc(&p->line, '}');
    p->code = buf_error(&p->line);
    if (p->code == 0) {
        cli_print(&p->line);
        p->code = cli_flush(&p->err); /* each event when it comes, also into a pipe */
    }
    return p->code;
}

static int check(const struct cli_command *self, const struct request *r, struct follow *f)
{
    struct err err = {""};
    char *end = NULL;
    double seconds = 0;
    if (r->after) {
        f->after = strtoll(r->after, &end, 10);
        if (!*r->after || *end || f->after < 0 || f->after > INT32_MAX)
            return cli_usage(self, "--after \"%s\" is not allowed; allowed: 0 to %d", r->after,
                             INT32_MAX);
    }
    if (r->timeout && duration_parse(r->timeout, &seconds, &err) != 0)
        return cli_usage(self, "--timeout: %s", err.text);
    f->timeout_ms = (int64_t)(seconds * 1000);
    return CLI_GO;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {0};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc != CLI_GO)
        return rc;
    if (argc - optind != 1)
        return cli_wants_jid(self);
    struct printer p = {.json = r.common.json};
    struct follow f = {.jid = argv[optind], .event = print_event, .ctx = &p};
    rc = check(self, &r, &f);
    if (rc == CLI_GO)
        rc = session_load(&session, &r.common);
    if (rc != CLI_GO)
        return rc;
    struct err err = {""};
    enum job_end end = JOB_GOES_ON;
    int code = session_follow(&session, &f, &end, &err);
    session_close(&session);
    buf_release(&p.line);
    if (p.code == -EPIPE)
        return CLI_FAILED; /* whoever read it knows why */
    if (code != 0)
        return cli_fail(p.code ? p.code : code, p.code ? &p.err : &err);
    return end == JOB_COMPLETED ? CLI_DONE : CLI_FAILED;
}

const struct cli_command cmd_follow = {
    .name = "follow",
    .summary = "Print the output of a job, live, until it ends",
    .usage = "JID [OPTIONS]",
    .details =
        "One event per line, each a JSON value; the last is the final status. With --json each\n"
        "line is {\"id\":N,\"event\":...}; --after N goes on behind an event that was seen. A job\n"
        "has output when it is tracked or has emitted something; before that it is waited for.\n"
        "An outage of Redis is waited for, too, and nothing is lost or printed twice.\n"
        "Exit status: 0 completed, 1 failed, stopped or dead.\n",
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
