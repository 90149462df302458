/* What can change while the worker runs: by new settings, with a warning for what takes a restart,
 * and by order. */
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

/* ---- What is in force: an order's value, else the setting's --------------------------------- */

static int in_force(const struct worker *w, enum order_setting setting, int configured)
{
    return w->tuned[setting] >= 0 ? w->tuned[setting] : configured;
}

static int apply_permits(struct worker *w, const struct conf *conf, struct err *err)
{
    return redis_pool_resize(w->pool, in_force(w, ORDER_MAX_OPS, conf->max_concurrent_ops), err);
}

/* Fewer take effect as their jobs end. */
static int apply_threads(struct worker *w, const struct conf *conf, struct err *err)
{
    int started, wanted = in_force(w, ORDER_THREADS, conf->threads);
    dispatch_set_limit(&w->dispatch, wanted);
    int rc = executors_grow(&w->executors, wanted, &started);
    dispatch_suspect(&w->dispatch);
    ticker_wake(&w->beacon.ticker);
    return rc == 0 ? 0
                   : err_set(err, rc, "no room for all threads: %d of %d could be started", started,
                             wanted);
}

static void apply_log(struct worker *w, const struct conf *conf)
{
    log_setup((enum log_level)in_force(w, ORDER_LOG_LEVEL, (int)conf->log_level), conf->log_format);
}

int worker_tune(struct worker *w, enum order_setting setting, int value, struct err *err)
{
    struct conf *conf = live_conf(&w->live, NULL);
    struct buf text = {0};
    int rc = 0, before = w->tuned[setting];
    w->tuned[setting] = value;
    switch (setting) {
    case ORDER_THREADS:
        rc = apply_threads(w, conf, err);
        break;
    case ORDER_MAX_OPS:
        rc = apply_permits(w, conf, err);
        if (rc != 0)
            w->tuned[setting] = before;
        break;
    case ORDER_LOG_LEVEL:
        apply_log(w, conf);
        break;
    case ORDER_SETTINGS:
        break;
    }
    conf_unref(conf);
    if (rc == 0 && value != before) {
        order_value_put(setting, value, &text);
        log_info("set by order", log_str("setting", order_setting_name(setting)),
                 log_str("value", buf_str(&text)));
        buf_release(&text);
    }
    return rc;
}

/* ---- A reload ------------------------------------------------------------------------------- */

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
    rc = apply_permits(w, conf, err);
    if (rc != 0) {
        registry_unref(registry);
        conf_unref(old);
        return rc;
    }
    check_fixed(old, conf);
    redis_pool_set_bulk_max(w->pool, store_bulk_max(conf));
    apply_log(w, conf);
    live_swap(&w->live, conf_ref(conf), registry);
    struct err why = {""};
    if (apply_threads(w, conf, &why) != 0)
        log_warn("not all is as it was set; the next reload tries again",
                 log_str("error", why.text));
    waker_notify(&w->waker); /* the queues may be others */
    conf_unref(old);
    log_info("settings reloaded", log_int("threads", conf->threads),
             log_int("max_concurrent_ops", conf->max_concurrent_ops),
             log_int("queues", conf->nqueues), log_int("handlers", conf->nhandlers));
    return 0;
}
