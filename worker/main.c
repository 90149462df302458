/* sluice-worker: flags, signals, and the life of one worker. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "handlers/registry.h"
#include "worker/heap.h"
#include "worker/systemd.h"
#include "worker/worker.h"

enum { EXIT_USAGE = 2, TICK_MS = 500 };

static const char usage[] =
    "Usage: sluice-worker [OPTION]…\n"
    "Runs jobs from Redis lists.\n"
    "\n"
    "  --config FILE     settings (YAML); see config/worker.yaml\n"
    "  --queues A,B      queues to work on, in strict order; NAME:WEIGHT makes it weighted\n"
    "  --threads N       jobs run at once\n"
    "  --check-config    check the settings and the handlers, print them, and exit\n"
    "  --version\n"
    "  --help\n"
    "\n"
    "Settings also come from the environment (REDIS_URL, SLUICE_QUEUES, …).\n"
    "Signals: TERM/INT drain and stop (again: at once), TSTP quiet, CONT resume, HUP reload,\n"
    "USR1 writes the state to the log.\n";

struct options {
    struct conf_flags flags;
    bool check;
};

/* -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"queues", required_argument, NULL, 'q'},
        {"threads", required_argument, NULL, 't'},
        {"check-config", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->flags.config_file = optarg;
            break;
        case 'q':
            o->flags.queues = optarg;
            break;
        case 't':
            o->flags.threads = optarg;
            break;
        case 'k':
            o->check = true;
            break;
        case 'v':
            (void)puts("sluice-worker " SLUICE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            (void)fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            (void)fputs("try: sluice-worker --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "sluice-worker: unexpected argument \"%s\"; options only\n",
                      argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

static int check_config(struct conf *conf)
{
    struct err err = {""};
    struct worker *w = NULL;
    struct buf text = {0};
    int rc = worker_new(conf, &w, &err); /* opens every handler, connects to nothing */
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_USAGE;
    }
    conf_dump(conf, CONF_WORKER, &text);
    (void)fputs(buf_str(&text), stdout);
    (void)fprintf(stderr, "settings are valid: %d queues, %d handlers\n", conf->nqueues,
                  conf->nhandlers);
    buf_release(&text);
    worker_free(w);
    return EXIT_SUCCESS;
}

/* ---- signals ---- */

static void block_signals(sigset_t *ret)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGTSTP, SIGCONT, SIGHUP, SIGUSR1, SIGUSR2};
    (void)sigemptyset(ret);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)sigaddset(ret, numbers[i]);
    (void)pthread_sigmask(SIG_BLOCK, ret, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that goes away is an error code, not a death */
}

/* The next signal, or 0 after ms. */
static int next_signal(const sigset_t *signals, int64_t ms)
{
    struct timespec wait = clock_timespec(ms * NS_PER_MS);
    int number = sigtimedwait(signals, NULL, &wait);
    return number > 0 ? number : 0;
}

static void reload(struct worker *w, const struct conf_flags *flags, double *shutdown_timeout)
{
    struct conf *conf = NULL;
    struct err err = {""};
    systemd_notify("RELOADING=1");
    int rc = conf_load(CONF_WORKER, flags, &conf, &err);
    if (rc == 0)
        rc = worker_reload(w, conf, &err);
    if (rc == 0)
        *shutdown_timeout = conf->shutdown_timeout;
    else
        log_error("settings were not reloaded; the old ones stay", log_str("error", err.text));
    conf_unref(conf);
    systemd_notify("READY=1");
}

static bool is_stop(int number)
{
    return number == SIGTERM || number == SIGINT;
}

/* Serves signals and orders until one says stop. */
static void work(struct worker *w, const sigset_t *signals, const struct conf_flags *flags,
                 double *shutdown_timeout)
{
    bool ready = false;
    int64_t watchdog_ms = systemd_watchdog_ms();
    for (;;) {
        int64_t pause = ready && watchdog_ms > TICK_MS ? watchdog_ms : TICK_MS;
        int number = next_signal(signals, ready && watchdog_ms == 0 ? 60000 : pause);
        if (!ready && worker_is_ready(w)) {
            ready = true;
            systemd_notify("READY=1\nSTATUS=working");
            worker_check_server(w);
        }
        heap_tend();
        if (watchdog_ms > 0 && worker_is_alive(w))
            systemd_notify("WATCHDOG=1");
        if (is_stop(number) || worker_obey(w))
            return;
        if (number == SIGTSTP)
            worker_quiet(w);
        else if (number == SIGCONT)
            worker_resume(w);
        else if (number == SIGHUP)
            reload(w, flags, shutdown_timeout);
        else if (number == SIGUSR1)
            worker_dump(w);
    }
}

/* Drains until done, the deadline, or a second signal. Returns true when asked to hurry. */
static bool drain(struct worker *w, const sigset_t *signals, double shutdown_timeout)
{
    int64_t deadline = clock_deadline_ms((int64_t)(shutdown_timeout * 1000));
    worker_begin_stop(w, deadline); /* first: who reads the line may rely on it */
    systemd_notify("STOPPING=1\nSTATUS=draining");
    log_info("stopping: waiting for running jobs", log_real("timeout_s", shutdown_timeout));
    while (clock_now_ns() < deadline) {
        (void)!worker_obey(w); /* to stop is what it does; only a signal hurries it */
        int64_t step = clock_deadline_ms(20);
        if (worker_wait_drained(w, step < deadline ? step : deadline))
            return false;
        int number = next_signal(signals, 0);
        if (is_stop(number))
            return true;
        if (number == SIGUSR1)
            worker_dump(w);
    }
    log_warn("jobs still run at the deadline: they go back to their queues");
    return false;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct conf *conf = NULL;
    struct worker *w = NULL;
    struct err err = {""};
    sigset_t signals;

    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    int rc = conf_load(CONF_WORKER, &options.flags, &conf, &err);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_USAGE;
    }
    log_setup(conf->log_level, conf->log_format);
    if (options.check) {
        code = check_config(conf);
        conf_unref(conf);
        return code;
    }

    heap_setup();
    block_signals(&signals);
    double shutdown_timeout = conf->shutdown_timeout;
    rc = worker_new(conf, &w, &err);
    conf_unref(conf);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_USAGE;
    }
    rc = worker_start(w, &err);
    if (rc != 0) {
        log_error("cannot start", log_str("error", err.text));
        worker_free(w);
        return EXIT_FAILURE;
    }
    work(w, &signals, &options.flags, &shutdown_timeout);
    bool at_once = drain(w, &signals, shutdown_timeout);
    if (!worker_finish(w, at_once)) {
        log_info("stopped");
        _exit(EXIT_SUCCESS); /* threads of handlers still run: nothing may be torn down */
    }
    worker_free(w);
    log_info("stopped");
    return EXIT_SUCCESS;
}
