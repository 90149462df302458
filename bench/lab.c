#include "lab.h"

#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/random.h"
#include "store/enqueue.h"

extern char **environ;

enum { PUSH_BATCH = 1000, START_MS = 10000 };

void lab_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

double lab_now_s(void)
{
    return (double)clock_now_ns() / (double)NS_PER_S;
}

struct redis_conn *lab_connect(struct lab *lab)
{
    struct redis_options o = {
        .path = lab->server.socket, .connect_timeout_ms = 5000, .socket_timeout_ms = 60000};
    struct redis_conn *conn;
    struct err err = {""};
    if (redis_conn_open(&o, &conn, &err) != 0)
        lab_fail("cannot connect: %s", err.text);
    return conn;
}

void lab_open(struct lab *lab, const char *const *redis_args)
{
    struct err err = {""};
    struct redis_server_options o = {.extra = redis_args};
    *lab = (struct lab){0};
    if (redis_server_start(&lab->server, &o, &err) != 0)
        lab_fail("no redis-server: %s", err.text);
    lab->conn = lab_connect(lab);
    if (store_new("", NULL, &lab->store) != 0)
        lab_fail("no memory");
    (void)snprintf(lab->settings, sizeof lab->settings, "%s/worker.yaml", lab->server.dir);
}

void lab_close(struct lab *lab)
{
    store_free(lab->store);
    redis_conn_free(lab->conn);
    redis_server_free(&lab->server);
}

void lab_flush(struct lab *lab)
{
    struct err err = {""};
    if (redis_callf(lab->conn, NULL, &err, "FLUSHALL") != 0)
        lab_fail("FLUSHALL: %s", err.text);
}

int64_t lab_int(struct lab *lab, const char *fmt, ...)
{
    struct reply *reply = NULL;
    struct err err = {""};
    va_list ap;
    va_start(ap, fmt);
    int rc = redis_vcallf(lab->conn, &reply, &err, fmt, ap);
    va_end(ap);
    if (rc != 0)
        lab_fail("%s: %s", fmt, err.text);
    int64_t n = reply_int(reply);
    reply_free(reply);
    return n;
}

void lab_fill(struct lab *lab, int n)
{
    lab_fill_class(lab, n, "noop");
}

void lab_fill_class(struct lab *lab, int n, const char *klass)
{
    static char text[PUSH_BATCH][256];
    struct slice payloads[PUSH_BATCH];
    struct err err = {""};
    for (int done = 0; done < n;) {
        int batch = n - done < PUSH_BATCH ? n - done : PUSH_BATCH;
        for (int i = 0; i < batch; i++) {
            char jid[25];
            random_hex(jid, 12);
            int len =
                snprintf(text[i], sizeof text[i],
                         "{\"class\":\"%s\",\"args\":[%d,\"a text of some length\",{\"k\":[]}],"
                         "\"jid\":\"%s\",\"queue\":\"default\",\"retry\":true,"
                         "\"created_at\":1795478712.500000,\"enqueued_at\":1795478712.500000}",
                         klass, done + i, jid);
            payloads[i] = (struct slice){text[i], (size_t)len};
        }
        if (store_push(lab->store, lab->conn, "default", payloads, (size_t)batch, NULL, &err) != 0)
            lab_fail("push: %s", err.text);
        done += batch;
    }
}

static void write_settings(const struct lab *lab, const char *yaml)
{
    FILE *f = fopen(lab->settings, "we");
    if (!f)
        lab_fail("cannot write %s", lab->settings);
    (void)fprintf(f,
                  "redis: {url: \"%s\"}\n"
                  "metrics: {listen: \"off\"}\n"
                  "log: {level: error}\n"
                  "handlers:\n"
                  "  - {class: noop, plugin: %s/lib/noop.so}\n"
                  "  - {class: \"true\", exec: [/bin/true]}\n"
                  "%s",
                  lab->server.url, BENCH_BUILD_DIR, yaml);
    (void)fclose(f);
}

pid_t lab_worker(struct lab *lab, const char *yaml)
{
    char name[] = "sluice-worker", flag[] = "--config";
    char *argv[] = {name, flag, lab->settings, NULL};
    pid_t pid;
    write_settings(lab, yaml);
    int rc = posix_spawn(&pid, BENCH_BUILD_DIR "/bin/sluice-worker", NULL, NULL, argv, environ);
    if (rc != 0)
        lab_fail("cannot start the worker: %s", strerror(rc));
    int64_t deadline = clock_deadline_ms(START_MS);
    while (lab_int(lab, "SCARD sluice:workers") == 0) {
        if (clock_now_ns() > deadline || waitpid(pid, NULL, WNOHANG) == pid)
            lab_fail("the worker did not start");
        (void)usleep(1000);
    }
    return pid;
}

void lab_worker_stop(pid_t pid)
{
    int status;
    (void)kill(pid, SIGTERM);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        lab_fail("the worker did not stop cleanly");
}

static void wait_processed(struct lab *lab, int jobs)
{
    while (lab_int(lab, "GET stat:processed") < jobs)
        (void)usleep(1000);
}

struct lab_drain lab_drain(struct lab *lab, const char *yaml, int jobs, const char *klass)
{
    enum { FIRST = 10 };
    struct lab_drain r;
    lab_flush(lab);
    pid_t pid = lab_worker(lab, yaml);
    lab_fill_class(lab, FIRST, klass);
    wait_processed(lab, FIRST);
    if (kill(pid, SIGTSTP) != 0) /* quiet: it is warm, and claims nothing yet */
        lab_fail("no worker");
    (void)usleep(200000);
    lab_fill_class(lab, jobs, klass);
    double cpu = lab_cpu_s(pid), redis_cpu = lab_cpu_s(lab->server.pid), began = lab_now_s();
    if (kill(pid, SIGCONT) != 0)
        lab_fail("no worker");
    wait_processed(lab, FIRST + jobs);
    r.per_s = jobs / (lab_now_s() - began);
    r.cpu_us = (lab_cpu_s(pid) - cpu) * 1e6 / jobs;
    r.redis_us = (lab_cpu_s(lab->server.pid) - redis_cpu) * 1e6 / jobs;
    r.rss_kb = lab_rss_kb(pid);
    if (lab_int(lab, "GET stat:processed") != FIRST + jobs ||
        lab_int(lab, "EXISTS retry dead") != 0)
        lab_fail("the worker ran a job of class %s more than once, or one failed", klass);
    lab_worker_stop(pid);
    return r;
}

double lab_cpu_s(pid_t pid)
{
    char path[64];
    unsigned long user = 0, system = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                     &system) != 2)
        lab_fail("cannot read %s", path);
    (void)fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

int64_t lab_rss_kb(pid_t pid)
{
    int64_t kb = process_rss_kb(pid);
    if (kb <= 0)
        lab_fail("/proc does not tell the memory of process %d", (int)pid);
    return kb;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double lab_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
