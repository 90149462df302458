/* sluice-api: flags, signals, and the life of one API process. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/spool.h"
#include "base/clock.h"
#include "base/log.h"

enum { EXIT_USAGE = 2, TICK_MS = 1000 };

static const char usage[] =
    "Usage: sluice-api [OPTION]…\n"
    "Serves the HTTP API: enqueues jobs, shows and steers what Redis holds.\n"
    "\n"
    "  --config FILE       settings (YAML); see config/api.yaml\n"
    "  --listen HOST:PORT  where it is served\n"
    "  --check-config      check the settings, print them, and exit\n"
    "  --version\n"
    "  --help\n"
    "\n"
    "Settings also come from the environment (REDIS_URL, SLUICE_API_LISTEN, …).\n"
    "Signals: TERM/INT end what is under way and stop (again: at once).\n";

struct options {
    struct conf_flags flags;
    bool check;
};

/* -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'}, {"listen", required_argument, NULL, 'l'},
        {"check-config", no_argument, NULL, 'k'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->flags.config_file = optarg;
            break;
        case 'l':
            o->flags.listen = optarg;
            break;
        case 'k':
            o->check = true;
            break;
        case 'v':
            (void)puts("sluice-api " SLUICE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            (void)fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            (void)fputs("try: sluice-api --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "sluice-api: unexpected argument \"%s\"; options only\n",
                      argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

/* ---- signals ---- */

static void block_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* hiredis writes without MSG_NOSIGNAL */
}

/* True when one of them asks to stop. */
static bool asked_to_stop(const sigset_t *signals, int64_t ms)
{
    struct timespec wait = clock_timespec(ms * NS_PER_MS);
    int number = sigtimedwait(signals, NULL, &wait);
    if (number == SIGHUP)
        log_warn("HUP: settings are read at the start; restart to change them");
    return number == SIGTERM || number == SIGINT;
}

/* Until nothing is under way, the deadline, or a second signal. */
static void drain(struct api *a, const sigset_t *signals, double stop_timeout)
{
    enum { STEP_MS = 20 };
    int64_t deadline_ns = clock_deadline_ms((int64_t)(stop_timeout * 1000));
    api_begin_stop(a); /* first: who reads the line may rely on it */
    log_info("stopping: waiting for requests under way", log_real("timeout_s", stop_timeout));
    while (clock_now_ns() < deadline_ns && !api_wait_idle(a, clock_deadline_ms(STEP_MS)))
        if (asked_to_stop(signals, 0))
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

int main(int argc, char **argv)
{
    struct options options = {0};
    struct conf *conf = NULL;
    struct api *a = NULL;
    struct err err = {""};
    sigset_t signals;

    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    int rc = conf_load(CONF_API, &options.flags, &conf, &err);
    if (rc == 0)
        rc = api_new(conf, &a, &err);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        conf_unref(conf);
        return EXIT_USAGE;
    }
    log_setup(conf->log_level, conf->log_format);
    double stop_timeout = conf->api_stop_timeout;
    if (options.check) {
        code = check_config(conf);
        goto out;
    }
    block_signals(&signals);
    rc = api_start(a, &err);
    if (rc != 0) {
        log_error("cannot start", log_str("error", err.text));
        code = rc == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
        goto out;
    }
    while (!asked_to_stop(&signals, TICK_MS))
        api_tend(a);
    drain(a, &signals, stop_timeout);
    code = EXIT_SUCCESS;
out:
    api_free(a);
    conf_unref(conf);
    if (!options.check && code == EXIT_SUCCESS)
        log_info("stopped");
    return code;
}
