/* Reload: what of new settings can take effect without a restart, and a warning for the rest. */
#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "conf/table.h"
#include "store/connect.h"
#include "worker/parts.h"

static void warn_restart(const char *setting)
{
    log_warn("a changed setting needs a restart; the old value stays", log_str("setting", setting));
}

static bool is_fixed(const struct setting *s)
{
    static const size_t others[] = {offsetof(struct conf, lease),
                                    offsetof(struct conf, metrics_listen)};
    if (strcmp(s->section, "redis") == 0)
        return s->field.offset != offsetof(struct conf, max_concurrent_ops);
    return s->field.offset == others[0] || s->field.offset == others[1];
}

static void check_fixed(const struct conf *old, const struct conf *new)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++)
        if (s->programs & CONF_WORKER && is_fixed(s) && !value_same(&s->field, old, new))
            warn_restart(s->field.name);
    if (conf_reserved_connections(new) > conf_reserved_connections(old))
        warn_restart("worker.queues: more of them than connections are reserved for");
}

int worker_reload(struct worker *w, struct conf *conf, struct err *err)
{
    struct registry *registry = NULL;
    int rc = registry_open(conf, &registry, err);
    if (rc == 0)
        rc = registry_warm(registry, err);
    if (rc != 0) {
        registry_unref(registry);
        return rc;
    }
    struct conf *old = live_conf(&w->live, NULL);
    if (conf->max_concurrent_ops != old->max_concurrent_ops) {
        rc = redis_pool_resize(w->pool, conf->max_concurrent_ops, err);
        if (rc != 0) {
            registry_unref(registry);
            conf_unref(old);
            return rc;
        }
    }
    check_fixed(old, conf);
    redis_pool_set_bulk_max(w->pool, store_bulk_max(conf));
    log_setup(conf->log_level, conf->log_format);
    live_swap(&w->live, conf_ref(conf), registry);
    dispatch_set_limit(&w->dispatch, conf->threads);
    int started;
    if (executors_grow(&w->executors, conf->threads, &started) != 0)
        log_warn("no room for all threads; the next reload tries again",
                 log_int("wanted", conf->threads), log_int("started", started));
    waker_notify(&w->waker); /* the queues may be others */
    dispatch_suspect(&w->dispatch);
    conf_unref(old);
    log_info("settings reloaded", log_int("threads", conf->threads),
             log_int("max_concurrent_ops", conf->max_concurrent_ops),
             log_int("queues", conf->nqueues), log_int("handlers", conf->nhandlers));
    return 0;
}
