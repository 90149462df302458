/* What `sluice dev` needs before it starts anything: programs, a folder, settings. */
#include <arpa/inet.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/dev.h"

int dev_find_programs(struct dev *d, struct err *err)
{
    ssize_t n = readlink("/proc/self/exe", d->bin, sizeof d->bin - 1);
    if (n < 0)
        return err_set(err, -errno, "/proc/self/exe: %s", strerror(errno));
    d->bin[n] = '\0';
    char *slash = strrchr(d->bin, '/');
    if (slash)
        *slash = '\0';
    static const char *const names[] = {"sluice-worker", "sluice-api"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char program[sizeof d->bin + 32];
        (void)snprintf(program, sizeof program, "%s/%s", d->bin, names[i]);
        if (access(program, X_OK) != 0)
            return err_set(err, -errno, "%s: %s; it is built together with this program", program,
                           strerror(errno));
    }
    return 0;
}

/* ---- The folder ----------------------------------------------------------------------------- */

static int make_in(struct dev *d, const char *parent)
{
    int n = snprintf(d->dir, sizeof d->dir, "%s/sluice-dev-XXXXXX", parent);
    /* The address of a unix socket has room for 107 bytes. */
    if (n < 0 || n > 90)
        return -ENAMETOOLONG;
    return mkdtemp(d->dir) ? 0 : -errno;
}

int dev_make_folder(struct dev *d, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    int rc = make_in(d, tmp && tmp[0] == '/' ? tmp : "/tmp");
    if (rc == -ENAMETOOLONG)
        rc = make_in(d, "/tmp");
    if (rc != 0) {
        err_set(err, rc, "no temporary folder: %s: %s", d->dir, strerror(-rc));
        d->dir[0] = '\0';
        return rc;
    }
    (void)snprintf(d->socket, sizeof d->socket, "%s/r.sock", d->dir);
    (void)snprintf(d->url, sizeof d->url, "unix://%s", d->socket);
    (void)snprintf(d->log, sizeof d->log, "%s/redis.log", d->dir);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void dev_remove_folder(const struct dev *d)
{
    if (d->dir[0] && nftw(d->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "sluice dev: %s is left: %s\n", d->dir, strerror(errno));
}

/* ---- Settings ------------------------------------------------------------------------------- */

/* The usual places, where others of this machine may serve already. */
enum { METRICS_PORT = 9394, API_PORT = 8394 };

/* A port of 127.0.0.1 that nobody listens on: this one, or, for 0, any. 0 when there is none. */
static int free_port(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof a;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, (const struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &n) == 0;
    (void)close(fd); /* nothing written */
    return ok ? ntohs(a.sin_port) : 0;
}

/* Handlers for those examples that were built: build/lib beside build/bin; or installed: lib/sluice
 * beside bin. */
static bool put_examples(const struct dev *d, struct buf *out)
{
    static const char *const names[] = {"checksum", "noop", "sleep"};
    bool any = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[sizeof d->bin + 32], real[4096];
        (void)snprintf(path, sizeof path, "%s/../lib/%s.so", d->bin, names[i]);
        if (!realpath(path, real)) {
            (void)snprintf(path, sizeof path, "%s/../lib/sluice/%s.so", d->bin, names[i]);
            if (!realpath(path, real))
                continue;
        }
        buf_printf(out, "%s  - {class: %s, plugin: ", any ? "" : "handlers:\n", names[i]);
        json_put_string(out, slice_of(real), SIZE_MAX); /* JSON strings are YAML, too */
        buf_puts(out, "}\n");
        any = true;
    }
    return any;
}

static int write_config(struct dev *d, struct err *err)
{
    struct buf text = {0};
    buf_puts(&text, "# Made by `sluice dev`; removed at its end.\n"
                    "worker: {threads: 16, queues: [default]}\n");
    if (!free_port(METRICS_PORT))
        buf_puts(&text, "metrics: {listen: off}\n");
    d->examples = put_examples(d, &text);
    (void)snprintf(d->config, sizeof d->config, "%s/worker.yaml", d->dir);
    FILE *f = fopen(d->config, "we");
    bool ok = f && buf_error(&text) == 0 && fwrite(text.p, 1, text.n, f) == text.n;
    if (f && fclose(f) != 0)
        ok = false;
    buf_release(&text);
    return ok ? 0 : err_set(err, -EIO, "%s: %s", d->config, strerror(errno));
}

/* The API's settings are in the same file; its usual address may be taken. */
static int choose_listen(struct dev *d, const struct conf_flags *flags, struct err *err)
{
    char usual[32];
    struct conf *conf = NULL;
    int rc = conf_load(CONF_API, flags, &conf, err);
    if (rc != 0)
        return rc;
    (void)snprintf(usual, sizeof usual, "127.0.0.1:%d", API_PORT);
    (void)snprintf(d->listen, sizeof d->listen, "%s", conf->api_listen);
    if (strcmp(d->listen, usual) == 0 && !free_port(API_PORT))
        (void)snprintf(d->listen, sizeof d->listen, "127.0.0.1:%d", free_port(0));
    conf_unref(conf);
    return 0;
}

int dev_choose_config(struct dev *d, const char *given, struct err *err)
{
    int rc = 0;
    if (!given)
        rc = write_config(d, err);
    else if (snprintf(d->config, sizeof d->config, "%s", given) >= (int)sizeof d->config)
        rc = err_set(err, -EINVAL, "--config: the path is too long");
    /* In our own environment, so that every child has it; it wins over any settings file. */
    if (rc == 0 && setenv("REDIS_URL", d->url, 1) != 0)
        rc = err_set(err, -errno, "setenv: %s", strerror(errno));
    struct conf_flags flags = {.config_file = d->config};
    if (rc == 0)
        rc = conf_load(CONF_WORKER, &flags, &d->conf, err);
    return rc == 0 ? choose_listen(d, &flags, err) : rc;
}
