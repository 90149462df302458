#include "peer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

enum { PROCESSES_MAX = 8, ARGS_MAX = 16, POLL_US = 5000, PATIENCE_MS = 60000, STOP_MS = 10000 };

const struct peer peer_celery = {
    .key = "celery",
    .name = "Celery, 2 solo workers",
    .processes = 2,
    .fill = {"/usr/bin/python3", PEER_SCRIPT("celery_echo.py"), "fill"},
    .work = {"/usr/bin/python3", PEER_SCRIPT("celery_echo.py"), "work"},
    .left = {{"LLEN", "celery"}, {"HLEN", "unacked"}},
};

/* ---- processes ---- */

static pid_t running[PROCESSES_MAX];

static void kill_running(void)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (running[i] > 0)
            (void)kill(running[i], SIGKILL);
}

static void on_signal(int number)
{
    kill_running();
    _exit(128 + number);
}

/* What is running is not to outlive us, unless we are killed. */
static void prepare(const struct lab *lab)
{
    static bool prepared;
    if (!prepared &&
        (atexit(kill_running) != 0 || signal(SIGINT, on_signal) == SIG_ERR ||
         signal(SIGTERM, on_signal) == SIG_ERR || signal(SIGHUP, on_signal) == SIG_ERR ||
         setenv("BENCH_SOCKET", lab->server.socket, 1) != 0 ||
         setenv("NODE_PATH", BENCH_BUILD_DIR "/bench/npm/node_modules", 1) != 0))
        lab_fail("no memory");
    prepared = true;
}

/* Negative when there is no such program. */
static pid_t spawn(const char *const *command, const char *last)
{
    posix_spawn_file_actions_t actions;
    char *argv[ARGS_MAX] = {NULL};
    pid_t pid = -1;
    int n = 0;
    for (; command[n]; n++)
        argv[n] = (char *)command[n];
    argv[n] = (char *)last;
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, 1, PEER_LOG, O_WRONLY | O_CREAT | O_APPEND,
                                         0600) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, 1, 2) != 0)
        lab_fail("no memory");
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
        pid = -1;
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    return pid;
}

static bool run_fill(const struct peer *p, int jobs)
{
    char text[16];
    int status;
    (void)snprintf(text, sizeof text, "%d", jobs);
    running[0] = spawn(p->fill, text);
    if (running[0] < 0)
        return false;
    bool done = waitpid(running[0], &status, 0) == running[0] && status == 0;
    running[0] = 0;
    return done;
}

/* True when all have been. */
static bool start_workers(const struct peer *p)
{
    for (int i = 0; i < p->processes; i++)
        if ((running[i] = spawn(p->work, NULL)) < 0)
            return false;
    return true;
}

/* True as well of one that was never started or has been waited for. */
static bool has_ended(pid_t pid)
{
    return pid <= 0 || waitpid(pid, NULL, WNOHANG) != 0;
}

/* Some take their time to leave, and nothing depends on it any more. */
static void stop_workers(const struct peer *p)
{
    int64_t deadline = clock_deadline_ms(STOP_MS);
    for (int i = 0; i < p->processes; i++)
        if (!has_ended(running[i]))
            (void)kill(running[i], SIGTERM);
    for (int i = 0; i < p->processes; i++) {
        while (!has_ended(running[i])) {
            if (clock_now_ns() > deadline)
                (void)kill(running[i], SIGKILL);
            (void)usleep(POLL_US);
        }
        running[i] = 0;
    }
}

/* ---- measuring ---- */

static int64_t count(struct lab *lab, const struct peer_count *c)
{
    return c->command ? lab_int(lab, "%s %s", c->command, c->key) : 0;
}

static int64_t jobs_left(struct lab *lab, const struct peer *p)
{
    return count(lab, &p->left[0]) + count(lab, &p->left[1]);
}

/* Until no more than so many are left. Returns how many; -1 when it gets no further. */
static int64_t await(struct lab *lab, const struct peer *p, int64_t most)
{
    int64_t left, last = INT64_MAX, deadline = 0;
    while ((left = jobs_left(lab, p)) > most) {
        if (left < last)
            deadline = clock_deadline_ms(PATIENCE_MS);
        last = left;
        for (int i = 0; i < p->processes; i++)
            if (has_ended(running[i]) || clock_now_ns() > deadline)
                return -1;
        (void)usleep(POLL_US);
    }
    return left;
}

static bool measure(struct lab *lab, const struct peer *p, int jobs, struct peer_drain *ret)
{
    int64_t left = await(lab, p, jobs - jobs / 10);
    double began = lab_now_s(), cpu = lab_cpu_s(lab->server.pid);
    if (left <= 0 || await(lab, p, 0) != 0)
        return false;
    ret->per_s = (double)left / (lab_now_s() - began);
    ret->redis_us = (lab_cpu_s(lab->server.pid) - cpu) * 1e6 / (double)left;
    ret->rss_kb = 0;
    for (int i = 0; i < p->processes; i++)
        ret->rss_kb += lab_rss_kb(running[i]);
    return count(lab, &p->failed) == 0;
}

bool peer_drain(struct lab *lab, const struct peer *p, int jobs, struct peer_drain *ret)
{
    prepare(lab);
    lab_flush(lab);
    if (!run_fill(p, jobs) || jobs_left(lab, p) != jobs)
        return false;
    bool done = start_workers(p) && measure(lab, p, jobs, ret);
    stop_workers(p);
    lab_flush(lab);
    return done;
}
