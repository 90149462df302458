/* sluice doctor */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/doctor.h"

static const char *const levels[DOCTOR_LEVELS] = {
    [DOCTOR_OK] = "ok",
    [DOCTOR_UNSEEN] = "unseen",
    [DOCTOR_WARNING] = "warning",
    [DOCTOR_PROBLEM] = "problem",
};

void doctor_say(struct doctor *d, enum doctor_level level, const char *name, const char *remedy,
                const char *fmt, ...)
{
    static const enum tone tones[DOCTOR_LEVELS] = {
        [DOCTOR_OK] = TONE_GOOD,
        [DOCTOR_UNSEEN] = TONE_DIM,
        [DOCTOR_WARNING] = TONE_WARN,
        [DOCTOR_PROBLEM] = TONE_BAD,
    };
    struct err clean; /* no error, but a sentence: without what could drive a terminal */
    va_list ap;
    va_start(ap, fmt);
    (void)err_vset(&clean, 0, fmt, ap); /* returns the code */
    va_end(ap);
    d->count[level]++;
    if (d->json) {
        struct buf *out = &d->statements;
        buf_printf(out, "%s{\"name\":\"%s\",\"level\":\"%s\",\"text\":", out->n > 0 ? "," : "",
                   name, levels[level]);
        json_put_string(out, slice_of(clean.text), SIZE_MAX);
        buf_puts(out, ",\"remedy\":");
        if (remedy)
            json_put_string(out, slice_of(remedy), SIZE_MAX);
        else
            buf_puts(out, "null");
        buf_putc(out, '}');
        return;
    }
    printf("%s%-8s%s %-12s  %s.\n", tone_begin(&d->terminal, tones[level]), levels[level],
           tone_end(&d->terminal, tones[level]), name, clean.text);
    if (remedy)
        printf("%-8s %-12s  → %s.\n", "", "", remedy);
}

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

static void print_end(struct doctor *d)
{
    int warnings = d->count[DOCTOR_WARNING], problems = d->count[DOCTOR_PROBLEM];
    if (!d->json) {
        printf("\n%d problem%s, %d warning%s, %d fine, %d could not be seen.\n", problems,
               plural(problems), warnings, plural(warnings), d->count[DOCTOR_OK],
               d->count[DOCTOR_UNSEEN]);
        return;
    }
    struct buf out = {0};
    buf_puts(&out, "{\"checks\":[");
    buf_put(&out, buf_slice(&d->statements));
    buf_printf(&out, "],\"ok\":%d,\"unseen\":%d,\"warnings\":%d,\"problems\":%d}",
               d->count[DOCTOR_OK], d->count[DOCTOR_UNSEEN], warnings, problems);
    cli_print(&out);
    buf_release(&out);
}

static int examine(struct doctor *d, const struct session *session)
{
    struct server_look look = {0};
    struct queue_info *queues = NULL;
    struct worker_info *workers = NULL;
    struct err err = {""};
    int rc = store_server_look(session->store, session->redis, &look, &err);
    if (rc == 0)
        rc = store_queues(session->store, session->redis, &queues, &d->nqueues, &err);
    if (rc == 0)
        rc = store_workers(session->store, session->redis, &workers, &d->nworkers, &err);
    if (rc == 0) {
        d->server = &look;
        d->queues = queues;
        d->workers = workers;
        if (!d->json)
            printf("Redis    %s\n\n", buf_str(&session->where));
        doctor_server(d);
        doctor_settings(d);
        doctor_fleet(d);
        print_end(d);
    }
    server_look_release(&look);
    queue_infos_free(queues, d->nqueues);
    worker_infos_free(workers, d->nworkers);
    if (rc != 0)
        return cli_fail(rc, &err);
    return d->count[DOCTOR_PROBLEM] > 0 ? CLI_FAILED : CLI_DONE;
}

/* The settings as a worker loads them, which checks more than a command needs. */
static int load_worker_settings(const struct cli_common *common, struct conf **ret)
{
    struct conf_flags flags = {.config_file = common->config};
    struct err err = {""};
    int rc = conf_load(CONF_WORKER, &flags, ret, &err);
    if (rc == 0)
        return CLI_GO;
    fprintf(stderr, "%s\n", err.text[0] ? err.text : err_phrase(rc)); /* FILE:LINE in front */
    return rc == -ENOMEM ? CLI_FAILED : CLI_USAGE;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct session session = {0};
    struct conf *conf = NULL;
    int rc = cli_options(self, argc, argv, &common, NULL, NULL);
    if (rc == CLI_GO)
        rc = load_worker_settings(&common, &conf);
    if (rc == CLI_GO)
        rc = session_open(&session, &common);
    if (rc == CLI_GO) {
        struct doctor doctor = {
            .terminal = terminal_of(STDOUT_FILENO), .json = common.json, .conf = conf};
        rc = examine(&doctor, &session);
        buf_release(&doctor.statements);
    }
    session_close(&session);
    conf_unref(conf);
    return rc;
}

const struct cli_command cmd_doctor = {
    .name = "doctor",
    .summary = "Examine the server, the settings and the fleet",
    .usage = "[OPTIONS]",
    .details =
        "Changes nothing. Give --config FILE of the workers, and run it where they run: handlers,\n"
        "limits and clocks are those of this machine.\n"
        "\n"
        "Levels:\n"
        "  ok       as it should be\n"
        "  unseen   the server does not tell, as managed ones often do; no fault\n"
        "  warning  will bring trouble under some circumstances\n"
        "  problem  brings trouble now\n"
        "\n"
        "Exit codes: 0 no problem; 1 a problem; 2 bad usage or configuration; 69 Redis cannot be\n"
        "reached. What lies in Redis is checked by sluice fsck.\n",
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
