/* sluice set */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/orders.h"

enum { ALL = CLI_OPTION, ANSWER_MS = 3000 };

static const struct cli_option options[] = {
    {ALL, "all", NULL, "all workers, also those that start later"},
    {0},
};

struct request {
    struct cli_common common;
    bool all;
    const char *worker;
    struct order order;
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    (void)value;
    if (id == ALL)
        r->all = true;
    return CLI_GO;
}

static int take_setting(const struct cli_command *self, struct request *r, const char *word,
                        const char *equals)
{
    enum order_setting setting;
    struct err err = {""};
    if (order_setting_find((struct slice){word, (size_t)(equals - word)}, &setting) != 0)
        return cli_usage(self,
                         "\"%s\" is not allowed; allowed: threads=N, max_concurrent_ops=N, "
                         "log_level=LEVEL",
                         word);
    if (order_value_parse(setting, equals + 1, &r->order.value[setting], &err) != 0)
        return cli_usage(self, "%s, or default", err.text);
    return CLI_GO;
}

static int check(const struct cli_command *self, struct request *r, int argc, char **argv)
{
    int settings = 0, words = 0;
    for (int i = optind; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        if (equals) {
            int rc = take_setting(self, r, argv[i], equals);
            if (rc != CLI_GO)
                return rc;
            settings++;
        } else {
            r->worker = argv[i];
            words++;
        }
    }
    if (words + r->all != 1)
        return cli_usage(self,
                         "one worker is wanted, or --all; as in: sluice set --all threads=20");
    if (settings == 0)
        return cli_usage(self, "what is to be set? allowed: threads=N, max_concurrent_ops=N, "
                               "log_level=LEVEL");
    return CLI_GO;
}

static int print_outcome(const struct request *r, const struct told *told)
{
    if (r->common.json)
        return told_print_json(told);
    if (told->n == 0)
        puts("there is no worker now; it holds for those that start");
    return told_print(told, "set");
}

static int set(const struct request *r, const struct session *session)
{
    struct told told = {0};
    struct err err = {""};
    char *identity = NULL;
    int rc = CLI_DONE;
    int code = r->worker ? worker_named(session, r->worker, &identity, &err) : 0;
    if (code == 0)
        code = orders_give(session, session->redis, identity, r->order, ANSWER_MS, &told, &err);
    if (code == 0)
        rc = print_outcome(r, &told);
    told_release(&told);
    free(identity);
    return code == 0 ? rc : cli_fail(code, &err);
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct request r = {.order = {.cmd = ORDER_SET}};
    struct session session = {0};
    for (int i = 0; i < ORDER_SETTINGS; i++)
        r.order.value[i] = ORDER_UNSAID;
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc == CLI_GO)
        rc = check(self, &r, argc, argv);
    if (rc == CLI_GO)
        rc = session_open(&session, &r.common);
    if (rc == CLI_GO)
        rc = set(&r, &session);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_set = {
    .name = "set",
    .summary = "Change settings of workers while they run",
    .usage = "WORKER|--all KEY=VALUE... [OPTIONS]",
    .details =
        "  threads=N              jobs that run at once; those that run are not disturbed\n"
        "  max_concurrent_ops=N   permits: operations on Redis at once; not more than\n"
        "                         redis.max_connections less what is reserved\n"
        "  log_level=LEVEL        debug, info, warn or error\n"
        "\n"
        "The value default gives a setting back to the worker's own configuration. What is set\n"
        "stays in force over a reload; for --all it holds also for workers that start later, "
        "until\n"
        "it is set to default. Of two orders about one thing the later counts.\n"
        "\n"
        "WORKER is an identity as in sluice workers, or its beginning when only one begins so. A\n"
        "worker that is cut off obeys when it is back. Exit status: 0 all obeyed, 1 not all did.\n",
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
