/*
 * process: jobs per second through programs, warm and spawned, beside their floors.
 *
 *   warm    Python's echo through warm processes (helper library). Floor: a bare loop that talks to
 *           the same program over pipes, one thread a process, without Redis and without a worker
 *   cold    the same program as exec, which starts Python for each job
 *   celery  the same echo by Celery, when that is installed: two workers of one process each
 *   true    exec of /bin/true. Floor: a bare loop of posix_spawn() and waitpid()
 *
 * Worker and floor alternate, so that drift of the machine meets both.
 *
 * Usage: process [JOBS [RUNS]]
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "key_figures.h"
#include "lab.h"
#include "peer.h"

enum { PROCESSES_MAX = 64, RUNS_MAX = 50, SPAWNERS = 8 };

static const char script[] = BENCH_SOURCE_DIR "/examples/process/handlers.py";
static int processes;

/* ---- the floor of warm processes ---- */

struct talker {
    struct thread thread;
    pid_t pid;
    int in, out;
    int jobs;
};

static void open_talker(struct talker *t)
{
    int in[2], out[2];
    char python[] = "python3";
    char *argv[] = {python, (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
        posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, in[0], 0) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, out[1], 1) != 0)
        lab_fail("no pipes");
    if (posix_spawnp(&t->pid, python, &actions, NULL, argv, environ) != 0)
        lab_fail("no python3");
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    t->in = in[1];
    t->out = out[0];
}

static void talk_once(const struct talker *t, int number)
{
    char line[512], answer[512];
    int n = snprintf(line, sizeof line,
                     "{\"class\":\"py.echo\",\"args\":[%d,\"a text of some length\",{\"k\":[]}],"
                     "\"jid\":\"0123456789abcdef01234567\",\"queue\":\"default\",\"retry\":true,"
                     "\"created_at\":1795478712.500000,\"enqueued_at\":1795478712.500000,"
                     "\"attempt\":1}\n",
                     number);
    if (write(t->in, line, (size_t)n) != n)
        lab_fail("floor: the process is gone");
    ssize_t got = read(t->out, answer, sizeof answer);
    if (got < 10 || memcmp(answer, "{\"done\":", 8) != 0 || answer[got - 1] != '\n')
        lab_fail("floor: no answer");
}

static void *talk_main(void *arg)
{
    struct talker *t = arg;
    for (int i = 0; i < t->jobs; i++)
        talk_once(t, i);
    return NULL;
}

static double run_talkers(int jobs)
{
    struct talker talkers[PROCESSES_MAX] = {0};
    for (int i = 0; i < processes; i++) {
        open_talker(&talkers[i]);
        talkers[i].jobs = jobs / processes;
        talk_once(&talkers[i], 0); /* it is up */
    }
    double began = lab_now_s();
    for (int i = 0; i < processes; i++)
        if (thread_start(&talkers[i].thread, "talker", talk_main, &talkers[i]) != 0)
            lab_fail("no thread");
    for (int i = 0; i < processes; i++)
        thread_join(&talkers[i].thread);
    double took = lab_now_s() - began;
    for (int i = 0; i < processes; i++) {
        (void)close(talkers[i].in);
        (void)close(talkers[i].out);
        (void)waitpid(talkers[i].pid, NULL, 0);
    }
    return jobs / processes * processes / took;
}

/* ---- the floor of exec ---- */

static atomic_int to_spawn;

static void *spawn_main(void *arg)
{
    char name[] = "/bin/true";
    char *argv[] = {name, NULL};
    pid_t pid;
    (void)arg;
    while (atomic_fetch_sub(&to_spawn, 1) > 0)
        if (posix_spawn(&pid, name, NULL, NULL, argv, environ) != 0 || waitpid(pid, NULL, 0) != pid)
            lab_fail("cannot spawn");
    return NULL;
}

static double run_spawners(int jobs, int threads)
{
    struct thread spawners[SPAWNERS];
    atomic_store(&to_spawn, jobs);
    double began = lab_now_s();
    for (int i = 0; i < threads; i++)
        if (thread_start(&spawners[i], "spawner", spawn_main, NULL) != 0)
            lab_fail("no thread");
    for (int i = 0; i < threads; i++)
        thread_join(&spawners[i]);
    return jobs / (lab_now_s() - began);
}

static double best_spawners(int jobs)
{
    double best = 0;
    for (int threads = 1; threads <= SPAWNERS; threads *= 2) {
        double rate = run_spawners(jobs, threads);
        best = rate > best ? rate : best;
    }
    return best;
}

/* ---- the peer ---- */

/* 0 when there is none. */
static double run_celery(struct lab *lab, int jobs)
{
    struct peer_drain r;
    return peer_drain(lab, &peer_celery, jobs, &r) ? r.per_s : 0;
}

/* key: of the figures' names. */
static void show(const char *what, const char *key, double rate, double floor, const char *note)
{
    printf("  %-36s %9.0f jobs/s", what, rate);
    if (floor > 0)
        printf("   %5.2f of its floor", rate / floor);
    printf("%s\n", note);
    key_figure(rate, "%s_per_s", key);
    if (floor > 0)
        key_figure(rate / floor, "%s_ratio", key);
}

int main(int argc, char **argv)
{
    int jobs = argc > 1 ? atoi(argv[1]) : 100000;
    int runs = argc > 2 ? atoi(argv[2]) : 3;
    double bare[RUNS_MAX], warm[RUNS_MAX], few[RUNS_MAX], cold[RUNS_MAX], spawns[RUNS_MAX],
        trues[RUNS_MAX], celery[RUNS_MAX], cpu[RUNS_MAX];
    char usual[512], tight[600], once[512], note[64];
    struct lab lab;
    if (jobs < 100 || runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: process [JOBS [RUNS]]   (JOBS from 100, RUNS 1..%d)", RUNS_MAX);
    processes = (int)sysconf(_SC_NPROCESSORS_ONLN);
    processes = processes > PROCESSES_MAX ? PROCESSES_MAX : processes;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(usual, sizeof usual,
                   "  - {class: py.echo, process: [python3, %s], processes: %d}\n", script,
                   processes);
    (void)snprintf(tight, sizeof tight, "%sworker: {threads: %d}\n", usual, processes);
    (void)snprintf(once, sizeof once, "  - {class: py.echo, exec: [python3, %s]}\n", script);
    lab_open(&lab, NULL);
    for (int i = 0; i < runs; i++) {
        bare[i] = run_talkers(jobs);
        struct lab_drain r = lab_drain(&lab, usual, jobs, "py.echo");
        warm[i] = r.per_s;
        cpu[i] = r.cpu_us;
        few[i] = lab_drain(&lab, tight, jobs, "py.echo").per_s;
        cold[i] = lab_drain(&lab, once, jobs / 2000 + 10, "py.echo").per_s;
        celery[i] = run_celery(&lab, jobs / 20);
        spawns[i] = best_spawners(jobs / 50);
        trues[i] = lab_drain(&lab, "", jobs / 50, "true").per_s;
    }
    lab_close(&lab);

    double floor = lab_median(bare, runs), spawn = lab_median(spawns, runs);
    printf("programs, medians of %d runs; %d warm processes of Python\n", runs, processes);
    show("warm: bare loop over pipes", "warm_floor", floor, 0, "");
    (void)snprintf(note, sizeof note, "   %.1f us CPU of the worker a job", lab_median(cpu, runs));
    show("warm: worker, 100 threads", "warm", lab_median(warm, runs), floor, note);
    show("warm: worker, a thread for each process", "few", lab_median(few, runs), floor, "");
    show("cold: exec of the same Python", "cold", lab_median(cold, runs), 0, "");
    double peer = lab_median(celery, runs);
    show("celery: the same echo, 2 solo workers", "celery", peer, 0,
         peer > 0 ? "" : "   (not installed: Debian's python3-celery)");
    show("true: bare posix_spawn loop", "true_floor", spawn, 0, "");
    show("true: exec", "true", lab_median(trues, runs), spawn, "");
    key_figures_print();
    return 0;
}
