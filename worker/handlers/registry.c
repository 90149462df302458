#include "handlers/registry.h"

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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
    }
    return NULL;
}

static int open_one(const struct conf_handler *conf, struct handler **ret, struct err *err)
{
    const struct handler_kind *kind = kind_of(conf);
    int rc = kind ? kind->open(conf, ret, err) : err_set(err, -EINVAL, "unknown kind of handler");
    return rc < 0 ? err_prefix(err, rc, "%s:%d", conf->file ? conf->file : "settings", conf->line)
                  : 0;
}

/* Last opened, first closed. */
static void close_all(struct registry *r)
{
    while (r->n > 0) {
        struct handler *h = r->handlers[--r->n];
        h->kind->close(h);
    }
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

struct handler *registry_find(struct registry *r, const char *klass)
{
    for (int i = 0; i < r->n; i++) {
        const char *pattern = r->handlers[i]->conf->klass;
        if (strcmp(pattern, klass) == 0 || fnmatch(pattern, klass, 0) == 0)
            return r->handlers[i];
    }
    return NULL;
}
