/* The children of `sluice dev`: start, wait, stop. */
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/dev.h"
#include "store/inspect.h"

enum { READY_MS = 20000, PATIENCE_MS = 3000, TICK_MS = 20 };

/* ---- Signals -------------------------------------------------------------------------------- */

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void signal_set(sigset_t *set)
{
    (void)sigemptyset(set); /* cannot fail on valid signals, as cannot sigaddset() */
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++)
        (void)sigaddset(set, stop_signals[i]);
    (void)sigaddset(set, SIGCHLD);
}

int dev_block_signals(struct err *err)
{
    sigset_t set;
    signal_set(&set);
    /* Ignored by whoever started us, it would take the children's exit status away. */
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return err_set(err, -errno, "signal: %s", strerror(errno));
    return sigprocmask(SIG_BLOCK, &set, NULL) == 0
               ? 0
               : err_set(err, -errno, "sigprocmask: %s", strerror(errno));
}

void dev_wait(struct dev *d, int ms)
{
    sigset_t set;
    signal_set(&set);
    struct timespec wait = clock_timespec((int64_t)ms * NS_PER_MS);
    int signal = ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &wait);
    if (signal > 0 && signal != SIGCHLD)
        d->interrupts++;
    process_reap(&d->worker);
    process_reap(&d->api);
    process_reap(&d->redis);
}

/* ---- Start ---------------------------------------------------------------------------------- */

/* What a start waits for; true once it is there. */
typedef bool ready_fn(struct dev *d);

static int wait_ready(struct dev *d, const struct process *p, ready_fn *ready, struct err *err)
{
    int64_t deadline = clock_deadline_ms(READY_MS);
    while (!ready(d)) {
        dev_wait(d, TICK_MS);
        if (d->interrupts > 0)
            return err_set(err, -ECANCELED, "interrupted");
        if (p->ended)
            return err_set(err, -ECHILD, "%s ended before it was ready", p->name);
        if (clock_now_ns() > deadline)
            return err_set(err, -ETIMEDOUT, "%s was not ready within %d s", p->name,
                           READY_MS / 1000);
    }
    return 0;
}

static bool redis_answers(struct dev *d)
{
    struct redis_options o = {.path = d->socket,
                              .connect_timeout_ms = READY_MS,
                              .socket_timeout_ms = READY_MS,
                              .name = "sluice-dev"};
    return redis_conn_open(&o, &d->connection, NULL) == 0;
}

static bool worker_has_lease(struct dev *d)
{
    struct store *store = NULL;
    struct worker_info *workers = NULL;
    size_t n = 0;
    bool lease = false;
    if (store_new(d->conf->key_prefix, NULL, &store) == 0 &&
        store_workers(store, d->connection, &workers, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            lease = lease || workers[i].lease;
    worker_infos_free(workers, n);
    store_free(store);
    return lease;
}

static bool api_is_reached(struct dev *d)
{
    const char *colon = strrchr(d->listen, ':');
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    char host[sizeof d->listen];
    bool bracket = d->listen[0] == '[', ok = false;
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - d->listen) - 2 * bracket,
                   d->listen + bracket);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return false;
    for (const struct addrinfo *a = found; a && !ok; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0;
        if (fd >= 0)
            (void)close(fd); /* nothing written */
    }
    freeaddrinfo(found);
    return ok;
}

static int spawn_redis(struct dev *d, const char *program, struct err *err)
{
    const char *const argv[] = {
        program,      "--port",
        "0",          "--unixsocket",
        d->socket,    "--unixsocketperm",
        "700",        "--dir",
        d->dir,       "--save",
        "",           "--appendonly",
        "no",         "--maxmemory-policy",
        "noeviction", "--loglevel",
        "notice",     "--logfile",
        d->log,       NULL,
    };
    int fd = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, -errno, "%s: %s", d->log, strerror(errno));
    int rc = process_start(&d->redis, "Redis", argv, fd, err);
    (void)close(fd); /* the child has its own */
    return rc;
}

int dev_start_redis(struct dev *d, const char *redis_server, struct err *err)
{
    int rc = spawn_redis(d, redis_server ? redis_server : "redis-server", err);
    if (!redis_server && rc == -ENOENT) {
        rc = spawn_redis(d, "valkey-server", err);
        if (rc == -ENOENT)
            err_set(err, rc,
                    "no redis-server found: install the package redis-server (or valkey-server), "
                    "or give --redis-server PATH");
    }
    return rc == 0 ? wait_ready(d, &d->redis, redis_answers, err) : rc;
}

int dev_start_worker(struct dev *d, struct err *err)
{
    char program[sizeof d->bin + 32];
    (void)snprintf(program, sizeof program, "%s/sluice-worker", d->bin);
    const char *const argv[] = {program, "--config", d->config, NULL};
    int rc = process_start(&d->worker, "The worker", argv, -1, err);
    return rc == 0 ? wait_ready(d, &d->worker, worker_has_lease, err) : rc;
}

int dev_start_api(struct dev *d, struct err *err)
{
    char program[sizeof d->bin + 32];
    (void)snprintf(program, sizeof program, "%s/sluice-api", d->bin);
    const char *const argv[] = {program, "--config", d->config, "--listen", d->listen, NULL};
    int rc = process_start(&d->api, "The API", argv, -1, err);
    return rc == 0 ? wait_ready(d, &d->api, api_is_reached, err) : rc;
}

const struct process *dev_ended(const struct dev *d)
{
    return d->redis.ended    ? &d->redis
           : d->worker.ended ? &d->worker
           : d->api.ended    ? &d->api
                             : NULL;
}

/* ---- Stop ----------------------------------------------------------------------------------- */

/* Waits until p has ended; false when the time is up or somebody interrupts (interrupts > allowed).
 */
static bool wait_end(struct dev *d, const struct process *p, int64_t ms, unsigned allowed)
{
    int64_t deadline = clock_deadline_ms(ms);
    while (process_runs(p)) {
        int left = clock_poll_ms(deadline);
        if (left == 0 || d->interrupts > allowed)
            return false;
        dev_wait(d, left);
    }
    return true;
}

/* What has little to finish. */
static void end_soon(struct dev *d, const struct process *p)
{
    process_signal(p, SIGTERM);
    if (wait_end(d, p, PATIENCE_MS, ~0U))
        return;
    process_signal(p, SIGKILL);
    (void)wait_end(d, p, PATIENCE_MS, ~0U);
}

void dev_stop(struct dev *d)
{
    redis_conn_free(d->connection);
    d->connection = NULL;
    unsigned allowed = d->interrupts;
    process_signal(&d->worker, SIGTERM);
    /* Without limit: how long the drain may take is a setting of the worker. But without Redis it
     * has nowhere to settle its jobs, and waits for what does not come. */
    if (!wait_end(d, &d->worker, process_runs(&d->redis) ? -1 : PATIENCE_MS, allowed)) {
        process_signal(&d->worker, SIGTERM); /* its second: stop at once, giving jobs back */
        if (!wait_end(d, &d->worker, PATIENCE_MS, d->interrupts))
            process_signal(&d->worker, SIGKILL);
    }
    (void)wait_end(d, &d->worker, PATIENCE_MS, ~0U);
    end_soon(d, &d->api);
    end_soon(d, &d->redis);
}
