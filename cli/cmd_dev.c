/* sluice dev */
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/dev.h"
#include "cli/terminal.h"
#include "store/server.h"

enum { CONFIG = CLI_OPTION, REDIS_SERVER };

static const struct cli_option options[] = {
    {CONFIG, "config", "FILE", "settings of worker and API (default: the example handlers)"},
    {REDIS_SERVER, "redis-server", "PATH", "the server to start (default: the installed one)"},
    {0},
};

struct request {
    const char *config, *redis_server;
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    if (id == CONFIG)
        r->config = value;
    else
        r->redis_server = value;
    return CLI_GO;
}

/* ---- What a person sees ---------------------------------------------------------------------- */

static void print_queues(const struct conf *conf)
{
    for (int i = 0; i < conf->nqueues; i++)
        printf("%s%s", i > 0 ? ", " : "", conf->queues[i].name);
}

static void print_addresses(const struct dev *d, const char *self)
{
    struct terminal t = terminal_of(STDOUT_FILENO);
    struct server_info server = {.version = ""};
    const char *bold = tone_begin(&t, TONE_BOLD), *plain = tone_end(&t, TONE_BOLD);
    const struct conf *c = d->conf;
    const char *queue = c->queues[0].name, *prefix = c->key_prefix;
    const bool is_default = strcmp(queue, "default") == 0;
    if (store_server_info(d->connection, &server, NULL) != 0)
        server.version[0] = '\0'; /* it shows a moment later if Redis is gone */

    printf("\n%sRedis%s    %s (%s)\n         log: %s\n", bold, plain, d->url, server.version,
           d->log);
    printf("%sWorker%s   pid %d, %d threads, queues: ", bold, plain, (int)d->worker.pid,
           c->threads);
    print_queues(c);
    printf("\n%sMetrics%s  %s%s%s\n", bold, plain, c->metrics_listen ? "http://" : "off",
           c->metrics_listen ? c->metrics_listen : "", c->metrics_listen ? "/metrics" : "");
    printf("%sAPI%s      pid %d, dashboard: http://%s/\n", bold, plain, (int)d->api.pid, d->listen);
    printf("\nFrom another terminal:\n\n"
           "  export REDIS_URL=%s\n"
           "  %s enqueue %s%s%s --track\n"
           "  %s stats\n"
           "  redis-cli -s %s \\\n"
           "    LPUSH %squeue:%s '{\"class\":\"noop\",\"args\":[]}'\n\n",
           d->url, self, d->examples ? "checksum /etc/hosts" : "CLASS ARG",
           is_default ? "" : " --queue ", is_default ? "" : queue, self, d->socket, prefix, queue);
    if (!c->nhandlers)
        printf("No handlers are set, so every job will fail: give --config FILE.\n\n");
    printf("%sCtrl-C%s stops all of it; nothing is kept.\n\n", bold, plain);
    (void)fflush(stdout); /* main() asks whether stdout has failed */
}

/* The last lines of Redis' log, which say why it ended. */
static void print_log_end(const struct dev *d)
{
    enum { TAIL = 1024 };
    char text[TAIL + 1];
    FILE *f = fopen(d->log, "re");
    if (!f)
        return;
    if (fseek(f, -TAIL, SEEK_END) != 0)
        rewind(f);
    size_t n = fread(text, 1, TAIL, f);
    (void)fclose(f); /* only read from */
    text[n] = '\0';
    char *line = n == TAIL && strchr(text, '\n') ? strchr(text, '\n') + 1 : text;
    if (n > 0)
        fprintf(stderr, "The end of its log:\n%s", line);
}

static void print_unexpected_end(const struct dev *d, const struct process *p)
{
    struct buf end = {0};
    process_put_end(p, &end);
    fprintf(stderr, "sluice dev: %s %s unexpectedly\n", p->name, buf_str(&end));
    buf_release(&end);
    if (p == &d->redis)
        print_log_end(d);
}

/* ---- Life -------------------------------------------------------------------------------------
 */

/* Starts all. 0, or why not, said. */
static int start(struct dev *d, const struct request *r)
{
    struct err err = {""};
    int rc = dev_block_signals(&err);
    if (rc == 0)
        rc = dev_find_programs(d, &err);
    if (rc == 0)
        rc = dev_make_folder(d, &err);
    if (rc == 0) {
        rc = dev_choose_config(d, r->config, &err);
        if (rc == -EINVAL || (rc == -ENOENT && r->config)) {
            fprintf(stderr, "%s\n", err.text); /* FILE:LINE in front */
            return CLI_USAGE;
        }
    }
    if (rc == 0)
        rc = dev_start_redis(d, r->redis_server, &err);
    if (rc == 0)
        rc = dev_start_worker(d, &err);
    if (rc == 0)
        rc = dev_start_api(d, &err);
    if (rc == 0)
        return CLI_GO;
    if (rc == -ECANCELED)
        return CLI_DONE; /* Ctrl-C before it was up */
    if (rc == -ECHILD)
        print_unexpected_end(d, dev_ended(d));
    else
        fprintf(stderr, "sluice dev: %s\n", err.text);
    return CLI_FAILED;
}

/* Until somebody interrupts, or one of them ends by itself. */
static int watch(struct dev *d)
{
    while (d->interrupts == 0 && !dev_ended(d))
        dev_wait(d, -1);
    if (d->interrupts > 0)
        return CLI_DONE;
    print_unexpected_end(d, dev_ended(d));
    return CLI_FAILED;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct request r = {0};
    struct dev d = {.dir = ""};
    int rc = cli_options(self, argc, argv, &common, take_option, &r);
    if (rc != CLI_GO)
        return rc;
    rc = start(&d, &r);
    if (rc == CLI_GO) {
        print_addresses(&d, program_invocation_name);
        rc = watch(&d);
    }
    if (d.interrupts > 0)
        fprintf(stderr, "\nsluice dev: stopping; once more to stop at once\n");
    dev_stop(&d);
    conf_unref(d.conf);
    dev_remove_folder(&d);
    return rc;
}

const struct cli_command cmd_dev = {
    .name = "dev",
    .summary = "Start a private Redis, a worker and the API, to try things out",
    .usage = "[OPTIONS]",
    .details =
        "Redis listens on a unix socket in a temporary folder, and keeps nothing. Jobs of the\n"
        "classes checksum, noop and sleep run where the examples were built; --config names\n"
        "other handlers. The logs of worker and API go to stderr, the dashboard's address to\n"
        "stdout. Ctrl-C stops the worker, which finishes what it runs, then the others; a second\n"
        "Ctrl-C does not wait.\n",
    .options = options,
    .run = run,
};
