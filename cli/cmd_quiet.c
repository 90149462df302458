/* sluice quiet, sluice resume, sluice stop: one command each, by the name of its order. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/drain.h"
#include "cli/time_text.h"

enum { ALL = CLI_OPTION, WAIT, TIMEOUT, ANSWER_MS = 3000 };

struct request {
    struct cli_common common;
    enum order_cmd cmd;
    bool all, wait;
    const char *timeout;
    double timeout_s;
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    if (id == ALL)
        r->all = true;
    else if (id == WAIT)
        r->wait = true;
    else
        r->timeout = value;
    return CLI_GO;
}

static int print_outcome(const struct request *r, const struct told *told)
{
    static const char *const done[] = {
        [ORDER_QUIET] = "quiet", [ORDER_RESUME] = "resumed", [ORDER_STOP] = "stopping"};
    return r->common.json ? told_print_json(told) : told_print(told, done[r->cmd]);
}

static int steer(const struct request *r, struct session *session, const char *word)
{
    struct told told = {0};
    struct err err = {""};
    char *identity = NULL;
    int rc = CLI_DONE;
    int code = word ? worker_named(session, word, &identity, &err) : 0;
    if (code == 0)
        code = orders_give(session, session->redis, identity, (struct order){.cmd = r->cmd},
                           ANSWER_MS, &told, &err);
    if (code == 0 && told.n == 0)
        code = err_set(&err, -ENOENT, "there is no worker");
    if (code == 0) {
        rc = print_outcome(r, &told);
        (void)fflush(stdout); /* before the wait */
    }
    if (code == 0 && r->wait) {
        const struct drain d = {.session = session,
                                .who = &told,
                                .stops = r->cmd == ORDER_STOP,
                                .timeout_ms = (int64_t)(r->timeout_s * 1000)};
        code = drain_wait(&d, &err);
        if (code == 0 && !r->common.json)
            puts(d.stops ? "stopped" : "drained");
    }
    told_release(&told);
    free(identity);
    return code == 0 ? rc : cli_fail(code, &err);
}

static int check(const struct cli_command *self, struct request *r, int words)
{
    struct err err = {""};
    if (words + r->all != 1)
        return cli_usage(self,
                         "one worker is wanted, or --all; as in: sluice %s web-1:", self->name);
    if (r->timeout && !r->wait)
        return cli_usage(self, "--timeout is how long to --wait at most, which was not given");
    if (r->timeout && duration_parse(r->timeout, &r->timeout_s, &err) != 0)
        return cli_usage(self, "--timeout: %s", err.text);
    return CLI_GO;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {.cmd = self == &cmd_quiet    ? ORDER_QUIET
                               : self == &cmd_resume ? ORDER_RESUME
                                                     : ORDER_STOP};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc == CLI_GO)
        rc = check(self, &r, argc - optind);
    if (rc == CLI_GO)
        rc = session_open(&session, &r.common);
    if (rc == CLI_GO)
        rc = steer(&r, &session, r.all ? NULL : argv[optind]);
    session_close(&session);
    return rc;
}

#define ALL_OPTION                                                                                 \
    {                                                                                              \
        ALL, "all", NULL, "all workers that there are"                                             \
    }
#define WAIT_OPTIONS(until)                                                                        \
    {WAIT, "wait", NULL, "wait until " until},                                                     \
    {                                                                                              \
        TIMEOUT, "timeout", "DURATION", "wait at most so long: seconds, or 10s, 5m"                \
    }

static const struct cli_option quiet_options[] = {ALL_OPTION, WAIT_OPTIONS("they run no job"), {0}};
static const struct cli_option resume_options[] = {ALL_OPTION, {0}};
static const struct cli_option stop_options[] = {ALL_OPTION, WAIT_OPTIONS("they are gone"), {0}};

#define WHO                                                                                        \
    "WORKER is an identity as in sluice workers, or its beginning when only one begins so. The\n"  \
    "order is kept in Redis: a worker that is cut off obeys when it is back. One that starts\n"    \
    "later is not meant. Exit status: 0 all obeyed, 1 not all did.\n"

const struct cli_command cmd_quiet = {
    .name = "quiet",
    .summary = "Let workers finish what they have and take no more",
    .usage = "WORKER|--all [OPTIONS]",
    .details = WHO,
    .options = quiet_options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};

const struct cli_command cmd_resume = {
    .name = "resume",
    .summary = "Let quiet workers take jobs again",
    .usage = "WORKER|--all [OPTIONS]",
    .details = WHO,
    .options = resume_options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};

const struct cli_command cmd_stop = {
    .name = "stop",
    .summary = "Let workers finish what they have and end",
    .usage = "WORKER|--all [OPTIONS]",
    .details =
        "What still runs after their worker.shutdown_timeout goes back to its queue.\n\n" WHO,
    .options = stop_options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
