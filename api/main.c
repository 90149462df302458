/* sluice-api: flags, signals, and the life of one API process. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/spool.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/systemd.h"
#include "conf/daemon.h"
#include "http/certificate.h"
#include "http/probe.h"

enum { EXIT_USAGE = 2, TICK_MS = 1000 };

static const struct daemon daemon_api = {
    .program = CONF_API,
    .name = "sluice-api",
    .summary = "Serve the HTTP API: enqueue jobs, show and steer what Redis holds",
    .signals = "  TERM, INT  end what is under way and stop; again: at once\n"
               "  HUP        read the settings again: tokens, log, api.stop_timeout; what needs a\n"
               "             restart is named in the log\n",
};

/* ---- signals ---- */

static void block_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGHUP);
    (void)sigaddset(ret, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, ret, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* hiredis writes without MSG_NOSIGNAL */
}

/* The next signal, or 0 after ms. */
static int next_signal(const sigset_t *signals, int64_t ms)
{
    struct timespec wait = clock_timespec(ms * NS_PER_MS);
    int number = sigtimedwait(signals, NULL, &wait);
    return number > 0 ? number : 0;
}

static bool is_stop(int number)
{
    return number == SIGTERM || number == SIGINT;
}

static void reload(struct api *a, const struct conf_flags *flags, double *stop_timeout)
{
    struct conf *conf = NULL;
    struct err err = {""};
    systemd_notify("RELOADING=1");
    int rc = conf_load(CONF_API, flags, &conf, &err);
    if (rc == 0)
        rc = api_reload(a, conf, &err);
    if (rc == 0)
        *stop_timeout = conf->api_stop_timeout;
    else
        log_error("settings were not reloaded; the old ones stay", log_str("error", err.text));
    conf_unref(conf);
    systemd_notify("READY=1");
}

/* Serves signals until one says stop. */
static void serve(struct api *a, const sigset_t *signals, const struct conf_flags *flags,
                  double *stop_timeout)
{
    int64_t watchdog_ms = systemd_watchdog_ms();
    systemd_notify("READY=1\nSTATUS=serving");
    for (;;) {
        int number =
            next_signal(signals, watchdog_ms > 0 && watchdog_ms < TICK_MS ? watchdog_ms : TICK_MS);
        if (is_stop(number))
            return;
        if (number == SIGHUP)
            reload(a, flags, stop_timeout);
        if (number == SIGUSR1)
            api_dump(a);
        api_tend(a);
        if (watchdog_ms > 0)
            systemd_notify("WATCHDOG=1");
    }
}

/* Until nothing is under way, the deadline, or a second signal. */
static void drain(struct api *a, const sigset_t *signals, double stop_timeout)
{
    enum { STEP_MS = 20 };
    int64_t deadline_ns = clock_deadline_ms((int64_t)(stop_timeout * 1000));
    api_begin_stop(a); /* first: who reads the line may rely on it */
    systemd_stopping(stop_timeout + API_FREE_S);
    log_info("stopping: waiting for requests under way", log_real("timeout_s", stop_timeout));
    while (clock_now_ns() < deadline_ns && !api_wait_idle(a, clock_deadline_ms(STEP_MS)))
        if (is_stop(next_signal(signals, 0)))
            return;
}

/* ---- life ---- */

static int check_config(struct conf *conf)
{
    struct buf text = {0};
    struct err err = {""};
    if (*conf->api_spool && spool_check(conf->api_spool, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_USAGE;
    }
    conf_dump(conf, CONF_API, &text);
    (void)fputs(buf_str(&text), stdout);
    (void)fputs("settings are valid\n", stderr);
    buf_release(&text);
    return EXIT_SUCCESS;
}

static int check_health(const struct conf *conf)
{
    struct err err = {""};
    const char *token = conf->api_read_token ? conf->api_read_token : conf->api_token;
    char pin[HTTP_PIN_BYTES] = "";
    if (conf->api_tls_cert) /* it has been loaded, for a check of the settings */
        http_certificate_pin(pin);
    if (http_probe_ready(conf->api_listen, *pin ? pin : NULL, token, &err) == 0)
        return EXIT_SUCCESS;
    (void)fprintf(stderr, "%s\n", err.text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct conf_flags flags = {0};
    enum daemon_task task = DAEMON_RUN;
    struct conf *conf = NULL;
    struct api *a = NULL;
    struct err err = {""};
    sigset_t signals;

    int code = daemon_options(&daemon_api, argc, argv, &flags, &task);
    if (code >= 0)
        return code;
    int rc = conf_load(CONF_API, &flags, &conf, &err);
    if (rc == 0)
        rc = api_new(conf, &a, &err);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        conf_unref(conf);
        return EXIT_USAGE;
    }
    log_setup(conf->log_level, conf->log_format);
    double stop_timeout = conf->api_stop_timeout;
    if (task != DAEMON_RUN) {
        code = task == DAEMON_CHECK_CONFIG ? check_config(conf) : check_health(conf);
        goto out;
    }
    block_signals(&signals);
    rc = api_start(a, &err);
    if (rc != 0) {
        log_error("cannot start", log_str("error", err.text));
        code = rc == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
        goto out;
    }
    serve(a, &signals, &flags, &stop_timeout);
    drain(a, &signals, stop_timeout);
    code = EXIT_SUCCESS;
out:
    api_free(a);
    conf_unref(conf);
    if (task == DAEMON_RUN && code == EXIT_SUCCESS)
        log_info("stopped");
    return code;
}
