/* sluice-worker: flags, signals, and the life of one worker. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/systemd.h"
#include "base/thread.h"
#include "conf/daemon.h"
#include "handlers/registry.h"
#include "http/probe.h"
#include "worker/heap.h"
#include "worker/worker.h"

enum { EXIT_USAGE = 2, TICK_MS = 500 };

static const struct daemon daemon_worker = {
    .program = CONF_WORKER,
    .name = "sluice-worker",
    .summary = "Run jobs from Redis lists",
    .signals = "  TERM, INT  wait for running jobs, give back what is left, stop; again: at once\n"
               "  TSTP       quiet: take no new jobs\n"
               "  CONT       go on\n"
               "  HUP        read the settings again; what needs a restart is named in the log\n"
               "  USR1       write the state to the log\n",
};

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

static int check_health(const struct conf *conf)
{
    struct err err = {""};
    if (!conf->metrics_listen) {
        (void)fputs("metrics.listen is off: there is nobody to ask\n", stderr);
        return EXIT_USAGE;
    }
    if (http_probe_ready(conf->metrics_listen, NULL, NULL, &err) == 0)
        return EXIT_SUCCESS;
    (void)fprintf(stderr, "%s\n", err.text);
    return EXIT_FAILURE;
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
    systemd_stopping(shutdown_timeout + WORKER_FINISH_S);
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
    struct conf_flags flags = {0};
    enum daemon_task task = DAEMON_RUN;
    struct conf *conf = NULL;
    struct worker *w = NULL;
    struct err err = {""};
    sigset_t signals;

    int code = daemon_options(&daemon_worker, argc, argv, &flags, &task);
    if (code >= 0)
        return code;
    int rc = conf_load(CONF_WORKER, &flags, &conf, &err);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_USAGE;
    }
    log_setup(conf->log_level, conf->log_format);
    if (task != DAEMON_RUN) {
        code = task == DAEMON_CHECK_CONFIG ? check_config(conf) : check_health(conf);
        conf_unref(conf);
        return code;
    }

    heap_setup();
    thread_expect(conf->threads);
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
    work(w, &signals, &flags, &shutdown_timeout);
    bool at_once = drain(w, &signals, shutdown_timeout);
    if (!worker_finish(w, at_once)) {
        log_info("stopped");
        _exit(EXIT_SUCCESS); /* threads of handlers still run: nothing may be torn down */
    }
    worker_free(w);
    log_info("stopped");
    return EXIT_SUCCESS;
}
