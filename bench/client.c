/*
 * client: jobs enqueued per second by the C client over one connection, beside its floors.
 *
 *   single   sluice_client_enqueue(), one call a job. Floor: LPUSH of a finished job
 *   keyed    the same with an idempotency key
 *   bulk     sluice_client_enqueue_bulk() of 1,000. Floor: LPUSH of 1,000 finished jobs
 *   sidekiq  the same by Sidekiq's own client, when that is installed: push, push_bulk of 1,000
 *
 * All take turns, so that drift of the machine meets all. Fails when a job is not there.
 *
 * Usage: client [JOBS [RUNS]]
 */
#include <signal.h>
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_figures.h"
#include "lab.h"

enum { RUNS_MAX = 50, BULK = 1000 };

static const char args[] = "[\"/var/lib/uploads/2026/01/31/0123456789abcdef.png\",1280,720,"
                           "{\"quality\":0.8,\"strip\":true}]";

static struct lab lab;
static struct sluice_client *client;

enum way { PUSH, SINGLE, KEYED, PUSH_BULK, ENQUEUE_BULK, SIDEKIQ, SIDEKIQ_BULK, WAYS };

struct figure {
    double per_s[RUNS_MAX];
    double redis_us[RUNS_MAX]; /* of the server's processor, per job */
};

static struct figure figures[WAYS];

/* ---- the ways; each enqueues so many jobs and returns the seconds it took ---- */

/* A job as the client would write it. */
static char *finished_job(void)
{
    struct sluice_client_job job = sluice_client_job_init();
    struct reply *reply = NULL;
    struct err err = {""};
    job.klass = "noop";
    job.args = args;
    if (sluice_client_enqueue(client, &job, NULL, NULL, NULL) != 0 ||
        redis_callf(lab.conn, &reply, &err, "RPOP queue:default") != 0)
        lab_fail("no job: %s", err.text);
    char *text = strndup(reply_str(reply).p, reply_str(reply).n);
    reply_free(reply);
    if (!text)
        lab_fail("no memory");
    return text;
}

static double push(int jobs, int at_once)
{
    char *text = finished_job();
    struct command cmd = {0};
    struct err err = {""};
    command_text(&cmd, "LPUSH");
    command_text(&cmd, "queue:default");
    for (int i = 0; i < at_once; i++)
        command_text(&cmd, text);
    double began = lab_now_s();
    for (int i = 0; i < jobs; i += at_once)
        if (redis_call(lab.conn, &cmd, NULL, &err) != 0)
            lab_fail("LPUSH: %s", err.text);
    double took = lab_now_s() - began;
    command_release(&cmd);
    free(text);
    return took;
}

static double enqueue(int jobs, int at_once, bool keyed)
{
    static struct sluice_client_job job[BULK];
    static char jid[BULK][SLUICE_CLIENT_JID_SIZE];
    struct sluice_client_error error;
    char key[32];
    for (int i = 0; i < at_once; i++) {
        job[i] = sluice_client_job_init();
        job[i].klass = "noop";
        job[i].args = args;
    }
    double began = lab_now_s();
    for (int i = 0; i < jobs; i += at_once) {
        (void)snprintf(key, sizeof key, "bench-%d", i);
        int rc = at_once == 1
                     ? sluice_client_enqueue(client, job, keyed ? key : NULL, jid[0], &error)
                     : sluice_client_enqueue_bulk(client, job, (size_t)at_once, keyed ? key : NULL,
                                                  jid, &error);
        if (rc != 0)
            lab_fail("enqueue: %s", error.text);
    }
    return lab_now_s() - began;
}

/* 0 when it is not installed. */
static double sidekiq(int jobs, int at_once)
{
    char command[512];
    double took = 0;
    (void)snprintf(command, sizeof command,
                   "REDIS_URL=unix://%s ruby " BENCH_SOURCE_DIR
                   "/bench/peer/sidekiq_push.rb %d %d 2>/dev/null",
                   lab.server.socket, jobs, at_once);
    FILE *f = popen(command, "re");
    if (!f)
        lab_fail("no shell");
    if (fscanf(f, "%lf", &took) != 1)
        took = 0;
    (void)pclose(f); /* without a figure it has failed */
    return took;
}

static double go(enum way way, int jobs)
{
    switch (way) {
    case PUSH:
        return push(jobs, 1);
    case SINGLE:
        return enqueue(jobs, 1, false);
    case KEYED:
        return enqueue(jobs, 1, true);
    case PUSH_BULK:
        return push(jobs, BULK);
    case ENQUEUE_BULK:
        return enqueue(jobs, BULK, false);
    case SIDEKIQ:
        return sidekiq(jobs, 1);
    case SIDEKIQ_BULK:
        return sidekiq(jobs, BULK);
    case WAYS:
        break;
    }
    return 0;
}

static void measure(enum way way, int jobs, int run)
{
    lab_flush(&lab);
    double cpu = lab_cpu_s(lab.server.pid), took = go(way, jobs);
    if (took <= 0)
        return;
    figures[way].per_s[run] = jobs / took;
    figures[way].redis_us[run] = (lab_cpu_s(lab.server.pid) - cpu) / jobs * 1e6;
    int64_t there = lab_int(&lab, "LLEN queue:default");
    if (there != jobs)
        lab_fail("%lld of %d jobs are there", (long long)there, jobs);
}

/* key: of the figures' names. */
static void show(const char *what, const char *key, enum way way, enum way floor, int runs)
{
    double rate = lab_median(figures[way].per_s, runs);
    if (rate == 0) {
        printf("  %-36s not installed: Debian's ruby-sidekiq\n", what);
        return;
    }
    printf("  %-36s %9.0f jobs/s   %5.2f us of Redis a job", what, rate,
           lab_median(figures[way].redis_us, runs));
    key_figure(rate, "%s_per_s", key);
    if (floor != way)
        printf("   %5.2f of its floor", rate / lab_median(figures[floor].per_s, runs));
    printf("\n");
}

int main(int argc, char **argv)
{
    int jobs = argc > 1 ? atoi(argv[1]) : 50000;
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    if (jobs < BULK || jobs % BULK || runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: client [JOBS [RUNS]]   (JOBS a multiple of %d, RUNS 1..%d)", BULK,
                 RUNS_MAX);
    (void)signal(SIGPIPE, SIG_IGN);
    lab_open(&lab, NULL);
    struct sluice_client_options o = sluice_client_options_init();
    struct sluice_client_error error;
    o.url = lab.server.url;
    if (sluice_client_new(&o, &client, &error) != 0)
        lab_fail("%s", error.text);
    for (int run = 0; run < runs; run++)
        for (enum way way = PUSH; way < WAYS; way++)
            measure(way, way == PUSH_BULK || way == ENQUEUE_BULK ? 10 * jobs : jobs, run);
    sluice_client_free(client);
    lab_close(&lab);

    printf("enqueueing over one connection, medians of %d runs of %d jobs (bulk: %d)\n", runs, jobs,
           10 * jobs);
    show("LPUSH of a finished job", "floor", PUSH, PUSH, runs);
    show("single", "single", SINGLE, PUSH, runs);
    show("single, with a key", "keyed", KEYED, PUSH, runs);
    show("Sidekiq's push", "sidekiq", SIDEKIQ, PUSH, runs);
    show("LPUSH of 1,000 finished jobs", "bulk_floor", PUSH_BULK, PUSH_BULK, runs);
    show("bulk of 1,000", "bulk", ENQUEUE_BULK, PUSH_BULK, runs);
    show("Sidekiq's push_bulk of 1,000", "sidekiq_bulk", SIDEKIQ_BULK, PUSH_BULK, runs);
    key_figures_print();
    return 0;
}
