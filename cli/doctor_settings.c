/* The worker's settings against themselves and against this machine. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"

static void check_sizes(struct doctor *d)
{
    const struct conf *c = d->conf;
    const int crowd = 20; /* threads per permit */
    if (c->threads > crowd * c->max_concurrent_ops)
        doctor_say(d, DOCTOR_WARNING, "sizes", "raise redis.max_concurrent_ops",
                   "%d threads share %d permits: jobs that end or stream at once wait for a turn",
                   c->threads, c->max_concurrent_ops);
    else
        doctor_say(d, DOCTOR_OK, "sizes", NULL,
                   "%d threads, %d permits, a pool of %d connections of which %d are private",
                   c->threads, c->max_concurrent_ops, c->max_connections,
                   conf_reserved_connections(c));
}

/* Connections, and for each thread the three pipes, pidfd and stop descriptor of a program. */
static void check_descriptors(struct doctor *d)
{
    enum { PER_THREAD = 5, OWN = 64 };
    struct rlimit limit;
    bool spawns = false;
    for (int i = 0; i < d->conf->nhandlers; i++)
        spawns = spawns || d->conf->handlers[i].kind == CONF_EXEC;
    long long needed =
        (long long)d->conf->max_connections + OWN + (spawns ? PER_THREAD * d->conf->threads : 0);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur != RLIM_INFINITY && (long long)limit.rlim_cur < needed)
        doctor_say(d, DOCTOR_WARNING, "descriptors", "raise it (ulimit -n, LimitNOFILE=)",
                   "the limit of open files is %llu here, and a worker may need %lld",
                   (unsigned long long)limit.rlim_cur, needed);
    else
        doctor_say(d, DOCTOR_OK, "descriptors", NULL,
                   "a worker needs up to %lld open files, and the limit here allows them", needed);
}

static void check_times(struct doctor *d)
{
    const struct conf *c = d->conf;
    if (c->redis_socket_timeout > c->lease / 2)
        doctor_say(d, DOCTOR_WARNING, "lease", "raise worker.lease to twice redis.socket_timeout",
                   "a reply may be awaited for %g s, and the lease is %g s: one lost reply can "
                   "make a live worker look dead",
                   c->redis_socket_timeout, c->lease);
    else
        doctor_say(d, DOCTOR_OK, "lease", NULL,
                   "the jobs of a dead worker run again within some %g s (lease and sweep)",
                   c->lease + 5);
    /* Flush, give-back and grace: docs/LIFECYCLE.md. */
    doctor_say(d, DOCTOR_OK, "shutdown", NULL,
               "a stop takes up to %g s (shutdown_timeout and 13 s); what kills it must wait "
               "longer; the lease is renewed meanwhile",
               c->shutdown_timeout + 13);
}

/* ---- Handlers: what can be seen without opening them ---------------------------------------- */

/* NULL, or why the file cannot be used. */
static const char *fault_of(const char *path, int mode)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "it is no regular file";
    return access(path, mode) == 0 ? NULL : strerror(errno);
}

/* The same for a name that is searched in PATH. */
static const char *fault_in_path(const char *name)
{
    const char *path = getenv("PATH");
    struct buf file = {0};
    const char *fault = "it is not in PATH";
    while (path && *path) {
        size_t n = strcspn(path, ":");
        buf_clear(&file);
        buf_append(&file, path, n);
        buf_printf(&file, "/%s", name);
        if (fault_of(buf_str(&file), X_OK) == NULL)
            fault = NULL;
        path += n + (path[n] == ':');
    }
    buf_release(&file);
    return fault;
}

static const char *fault_of_handler(const struct conf_handler *h)
{
    if (h->kind == CONF_PLUGIN)
        return strchr(h->plugin, '/') ? fault_of(h->plugin, R_OK)
                                      : NULL; /* else as ld.so finds it */
    struct stat st;
    if (h->workdir && (stat(h->workdir, &st) != 0 || !S_ISDIR(st.st_mode)))
        return "its workdir is no directory";
    if (!strchr(h->argv[0], '/'))
        return fault_in_path(h->argv[0]);
    struct buf path = {0};
    if (h->workdir && h->argv[0][0] != '/')
        buf_printf(&path, "%s/", h->workdir);
    buf_puts(&path, h->argv[0]);
    const char *fault = fault_of(buf_str(&path), X_OK);
    buf_release(&path);
    return fault;
}

static void check_handlers(struct doctor *d)
{
    int good = 0;
    for (int i = 0; i < d->conf->nhandlers; i++) {
        const struct conf_handler *h = &d->conf->handlers[i];
        const char *fault = fault_of_handler(h);
        if (fault)
            doctor_say(d, DOCTOR_PROBLEM, "handler", "a worker with these settings does not start",
                       "%s:%d: %s: %s", h->file ? h->file : "settings", h->line,
                       h->kind == CONF_PLUGIN ? h->plugin : h->argv[0], fault);
        else
            good++;
    }
    if (d->conf->nhandlers == 0)
        doctor_say(d, DOCTOR_WARNING, "handlers", "name the workers' file with --config",
                   "these settings have no handlers: every job would fail and be tried again");
    else if (good == d->conf->nhandlers)
        doctor_say(d, DOCTOR_OK, "handlers", NULL,
                   "%d handler%s, whose files are there; sluice-worker --check-config opens them",
                   good, good == 1 ? "" : "s");
}

void doctor_settings(struct doctor *d)
{
    check_sizes(d);
    check_descriptors(d);
    check_times(d);
    check_handlers(d);
}
