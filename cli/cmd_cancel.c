/* sluice cancel */
#include <getopt.h>
#include <stdio.h>

#include "cli/session.h"
#include "cli/time_text.h"
#include "store/inspect_json.h"

enum { WAIT = CLI_OPTION };

static const struct cli_option options[] = {
    {WAIT, "wait", "DURATION", "wait until it has ended, at most so long: seconds, or 10s, 5m"},
    {0},
};

struct request {
    struct cli_common common;
    const char *wait;
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    if (id == WAIT)
        r->wait = value;
    return CLI_GO;
}

/* What is known of it: taken out of where it waited, told to stop, or flagged. */
static void print_outcome(const struct request *r, const char *jid, const struct cancellation *c)
{
    struct buf out = {0};
    if (r->common.json)
        inspect_put_cancellation(&out, jid, c);
    else if (*c->where)
        buf_printf(&out, "stopped: it was taken out of %s", c->where);
    else if (c->running)
        buf_puts(&out, "it runs, and is told to stop");
    else
        buf_puts(&out, "it waits nowhere that was looked at: whoever has it, or gets it within a "
                       "day, stops it");
    cli_print(&out);
    buf_release(&out);
}

static int cancel(const struct request *r, struct session *session, const char *jid, double wait_s)
{
    struct err err = {""};
    struct cancellation done = {0};
    int code =
        store_cancel_job(session->store, session->redis, jid, (int64_t)session->conf->stream_ttl,
                         session->conf->max_payload, &done, &err);
    if (code == 0)
        print_outcome(r, jid, &done);
    bool waits = code == 0 && r->wait && !*done.where;
    cancellation_release(&done);
    if (waits) {
        struct follow f = {.jid = jid, .timeout_ms = (int64_t)(wait_s * 1000)};
        enum job_end end = JOB_GOES_ON;
        code = session_follow(session, &f, &end, &err);
        if (code == 0 && end != JOB_STOPPED)
            code = err_set(&err, -EALREADY, "job %s had %s before it could be stopped", jid,
                           job_end_name(end));
    }
    return code == 0 ? CLI_DONE : cli_fail(code, &err);
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {0};
    struct session session = {0};
    struct err err = {""};
    double wait_s = 0;
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc != CLI_GO)
        return rc;
    if (argc - optind != 1 || !*argv[optind])
        return cli_wants_jid(self);
    if (r.wait && duration_parse(r.wait, &wait_s, &err) != 0)
        return cli_usage(self, "--wait: %s", err.text);
    rc = session_open(&session, &r.common);
    if (rc == CLI_GO)
        rc = cancel(&r, &session, argv[optind], wait_s);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_cancel = {
    .name = "cancel",
    .summary = "Stop a job for good, whether it waits or runs",
    .usage = "JID [OPTIONS]",
    .details =
        "A job that waits in a queue, in schedule or in retry is taken out; one that runs is told\n"
        "to stop (a plugin by cancelled(), a program by SIGTERM and, 5 s later, SIGKILL), and is\n"
        "recorded as stopped. It is never retried. The order is kept in Redis for a day, so it\n"
        "holds also when no worker is up, and for a job that comes later under this jid. Of each\n"
        "queue the next 100,000 jobs are looked through; one further back is stopped when its\n"
        "turn comes.\n",
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
