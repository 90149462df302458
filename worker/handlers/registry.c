#include "handlers/registry.h"

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/limiter.h"

struct registry {
    atomic_int refs;
    struct conf *conf; /* owns the settings that the handlers borrow */
    int n;
    struct handler *handlers[]; /* in the order of the settings */
};

static const struct handler_kind *kind_of(const struct conf_handler *conf)
{
    switch (conf->kind) {
    case CONF_PLUGIN:
        return &plugin_kind;
    case CONF_EXEC:
        return &exec_kind;
    case CONF_PROCESS:
        return &process_kind;
    case CONF_HTTP:
        return &http_kind;
    }
    return NULL;
}

static int at_line(const struct conf_handler *conf, int rc, struct err *err)
{
    return rc < 0 ? err_prefix(err, rc, "%s:%d", conf->file ? conf->file : "settings", conf->line)
                  : 0;
}

static void close_one(struct handler *h)
{
    if (h->limiter)
        limiter_release(h->limiter);
    free(h->limiter);
    h->kind->close(h);
}

static int open_one(const struct conf_handler *conf, struct handler **ret, struct err *err)
{
    const struct handler_kind *kind = kind_of(conf);
    struct handler *h = NULL;
    int rc = kind ? kind->open(conf, &h, err) : err_set(err, -EINVAL, "unknown kind of handler");
    if (rc == 0 && conf->max_concurrency > 0) {
        h->limiter = malloc(sizeof *h->limiter);
        if (h->limiter)
            limiter_init(h->limiter, conf->max_concurrency);
        else
            rc = err_set(err, -ENOMEM, "no memory for max_concurrency");
    }
    if (rc == 0)
        *ret = h;
    else if (h)
        close_one(h);
    return at_line(conf, rc, err);
}

/* Last opened, first closed. */
static void close_all(struct registry *r)
{
    while (r->n > 0)
        close_one(r->handlers[--r->n]);
    conf_unref(r->conf);
    free(r);
}

int registry_open(struct conf *conf, struct registry **ret, struct err *err)
{
    struct registry *r = calloc(1, sizeof *r + (size_t)conf->nhandlers * sizeof *r->handlers);
    if (!r)
        return err_set(err, -ENOMEM, "no memory for %d handlers", conf->nhandlers);
    atomic_init(&r->refs, 1);
    r->conf = conf_ref(conf);
    for (; r->n < conf->nhandlers; r->n++) {
        int rc = open_one(&conf->handlers[r->n], &r->handlers[r->n], err);
        if (rc < 0) {
            close_all(r);
            return rc;
        }
    }
    *ret = r;
    return 0;
}

int registry_warm(struct registry *r, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < r->n && rc == 0; i++) {
        struct handler *h = r->handlers[i];
        if (h->kind->warm)
            rc = at_line(h->conf, h->kind->warm(h, err), err);
    }
    return rc;
}

struct registry *registry_ref(struct registry *r)
{
    (void)atomic_fetch_add(&r->refs, 1); /* the old count says nothing to us */
    return r;
}

void registry_unref(struct registry *r)
{
    if (r && atomic_fetch_sub(&r->refs, 1) == 1)
        close_all(r);
}

void handler_run(struct handler *h, const struct run_job *job, struct run *run,
                 const struct run_ops *ops, struct outcome *out)
{
    if (h->limiter && limiter_enter(h->limiter, run, ops, NULL, NULL) < 0) {
        outcome_stop(out, ops->stop(run), job);
        return;
    }
    h->kind->run(h, job, run, ops, out);
    if (h->limiter)
        limiter_leave(h->limiter);
}

struct conf *registry_conf(struct registry *r)
{
    return r->conf;
}

struct handler *registry_find(struct registry *r, const char *klass)
{
    for (int i = 0; i < r->n; i++) {
        const char *pattern = r->handlers[i]->conf->klass;
        if (strcmp(pattern, klass) == 0 || fnmatch(pattern, klass, 0) == 0)
            return r->handlers[i];
    }
    return NULL;
}
