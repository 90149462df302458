/*
 * api: how fast sluice-api takes jobs over HTTP, one in a request and a hundred in a request,
 * beside two floors of the same run: libmicrohttpd alone, which answers the same requests without
 * doing anything, and Redis alone, into which a bare client pushes the same jobs, pipelined.
 *
 * Each run is checked: as many jobs lie in Redis as were answered with 202.
 *
 * Usage: api [SECONDS [CLIENTS [RUNS]]]
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "front.h"
#include "http_load.h"
#include "key_figures.h"

enum { RUNS_MAX = 50, BULK = 100, PIPELINE = 64 };

static const char job[] =
    "{\"class\":\"noop\",\"args\":[12345,\"a text of some length\",{\"k\":[]}]}";
static const char payload[] =
    "{\"class\":\"noop\",\"args\":[12345,\"a text of some length\",{\"k\":[]}],"
    "\"jid\":\"0123456789abcdef01234567\",\"queue\":\"default\","
    "\"created_at\":1795478712.500000,\"enqueued_at\":1795478712.500000}";

struct figures {
    double bare_http[RUNS_MAX], bare_redis[RUNS_MAX]; /* requests/s */
    double ours[RUNS_MAX], p50[RUNS_MAX], p99[RUNS_MAX];
    double cpu_us[RUNS_MAX], redis_us[RUNS_MAX]; /* per request */
};

static void put_body(struct buf *out, int jobs)
{
    for (int i = 0; i < jobs; i++)
        buf_printf(out, "%s%s", i > 0 ? "," : jobs > 1 ? "[" : "", job);
    buf_puts(out, jobs > 1 ? "]" : "");
}

static double run_bare_http(struct lab *lab, struct http_load load, int jobs)
{
    char name[] = BENCH_BUILD_DIR "/bench/bare-http", text[2][16], log[160];
    char *argv[] = {name, text[0], text[1], NULL};
    load.port = redis_server_free_port();
    (void)snprintf(text[0], sizeof text[0], "%d", load.port);
    (void)snprintf(text[1], sizeof text[1], "%d", 11 + 27 * jobs); /* as {"jids":[…]} */
    (void)snprintf(log, sizeof log, "%s/bare.log", lab->server.dir);
    pid_t pid = front_spawn(argv, log, load.port);
    double per_s = http_load_run(&load).per_s;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0); /* it was killed */
    return per_s;
}

/* LPUSH of as many jobs as a request has, a pipeline at a time. */
static double run_bare_redis(struct lab *lab, double seconds, int jobs)
{
    struct command cmd = {0};
    int64_t pushes = 0;
    lab_flush(lab);
    command_text(&cmd, "LPUSH");
    command_text(&cmd, "queue:default");
    for (int i = 0; i < jobs; i++)
        command_text(&cmd, payload);
    double began = lab_now_s();
    while (lab_now_s() - began < seconds) {
        for (int i = 0; i < PIPELINE; i++, pushes++)
            if (redis_conn_send(lab->conn, &cmd) != 0)
                lab_fail("floor: cannot send");
        for (int i = 0; i < PIPELINE; i++) {
            struct reply *reply = NULL;
            if (redis_conn_read(lab->conn, &reply, NULL) != 0 || reply_error(reply, NULL) != 0)
                lab_fail("floor: cannot push");
            reply_free(reply);
        }
    }
    double took = lab_now_s() - began;
    command_release(&cmd);
    if (lab_int(lab, "LLEN queue:default") != pushes * jobs)
        lab_fail("floor: jobs are missing");
    return (double)pushes / took;
}

static void run_api(struct lab *lab, struct http_load load, int jobs, struct figures *f, int i)
{
    struct front front;
    lab_flush(lab);
    front_open(&front, lab, "");
    load.port = front.port;
    double cpu = lab_cpu_s(front.pid), redis_cpu = lab_cpu_s(lab->server.pid);
    struct http_load_result r = http_load_run(&load);
    f->cpu_us[i] = (lab_cpu_s(front.pid) - cpu) * 1e6 / (double)r.answers;
    f->redis_us[i] = (lab_cpu_s(lab->server.pid) - redis_cpu) * 1e6 / (double)r.answers;
    f->ours[i] = r.per_s;
    f->p50[i] = r.p50_us;
    f->p99[i] = r.p99_us;
    int64_t pushed = lab_int(lab, "LLEN queue:default");
    if (pushed != r.answers * jobs)
        lab_fail("%" PRId64 " jobs were answered for, %" PRId64 " are in Redis", r.answers * jobs,
                 pushed);
    front_close(&front);
}

static void measure(struct lab *lab, struct http_load load, int jobs, int runs)
{
    struct buf body = {0}, request = {0};
    static struct figures f;
    put_body(&body, jobs);
    http_load_request(&request, "/v1/jobs", buf_slice(&body));
    load.request = buf_slice(&request);
    for (int i = 0; i < runs; i++) {
        f.bare_http[i] = run_bare_http(lab, load, jobs);
        f.bare_redis[i] = run_bare_redis(lab, load.seconds / 4, jobs);
        run_api(lab, load, jobs, &f, i);
    }
    double http = lab_median(f.bare_http, runs), redis = lab_median(f.bare_redis, runs);
    double ours = lab_median(f.ours, runs);
    printf("%d in a request, %zu bytes\n", jobs, request.n);
    printf("  %-24s %8.0f requests/s   %8.0f jobs/s\n", "floor, libmicrohttpd", http, http * jobs);
    printf("  %-24s %8.0f pushes/s     %8.0f jobs/s\n", "floor, bare LPUSH", redis, redis * jobs);
    printf("  %-24s %8.0f requests/s   %8.0f jobs/s   %5.2f and %5.2f of the floors\n",
           "sluice-api", ours, ours * jobs, ours / http, ours / redis);
    printf("  %-24s p50 %.0f us   p99 %.0f us   processor: its %.1f, Redis' %.1f us a request\n",
           "", lab_median(f.p50, runs), lab_median(f.p99, runs), lab_median(f.cpu_us, runs),
           lab_median(f.redis_us, runs));
    key_figure(ours * jobs, "jobs%d_per_s", jobs);
    key_figure(http * jobs, "http%d_per_s", jobs);
    key_figure(redis * jobs, "lpush%d_per_s", jobs);
    buf_release(&body);
    buf_release(&request);
}

int main(int argc, char **argv)
{
    struct http_load load = {.seconds = argc > 1 ? atof(argv[1]) : 2,
                             .clients = argc > 2 ? atoi(argv[2]) : 64};
    int runs = argc > 3 ? atoi(argv[3]) : 5;
    struct lab lab;
    if (load.seconds <= 0 || load.clients < 1 || runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: api [SECONDS [CLIENTS [RUNS]]]   (RUNS 1..%d)", RUNS_MAX);
    lab_open(&lab, NULL);
    printf("enqueueing over HTTP, %d clients, %g s, medians of %d runs\n", load.clients,
           load.seconds, runs);
    measure(&lab, load, 1, runs);
    measure(&lab, load, BULK, runs);
    lab_close(&lab);
    key_figures_print();
    return 0;
}
