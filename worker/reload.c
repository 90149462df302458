/* What can change while the worker runs: by new settings, with a warning for what takes a restart,
 * and by order. */
#include <string.h>

#include "base/log.h"
#include "store/connect.h"
#include "worker/parts.h"

static bool same(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static void warn_restart(const char *setting)
{
    log_warn("a changed setting needs a restart; the old value stays", log_str("setting", setting));
}

static void check_fixed(const struct conf *old, const struct conf *new)
{
    bool redis = same(old->redis_url, new->redis_url) && same(old->redis_host, new->redis_host) &&
                 same(old->redis_username, new->redis_username) &&
                 same(old->redis_password, new->redis_password) &&
                 same(old->redis_tls_ca, new->redis_tls_ca) &&
                 same(old->redis_tls_cert, new->redis_tls_cert) &&
                 same(old->redis_tls_key, new->redis_tls_key) &&
                 same(old->redis_sentinel_username, new->redis_sentinel_username) &&
                 same(old->redis_sentinel_password, new->redis_sentinel_password) &&
                 old->redis_port == new->redis_port && old->redis_db == new->redis_db &&
                 old->redis_ssl == new->redis_ssl &&
                 old->redis_connect_timeout == new->redis_connect_timeout &&
                 old->redis_socket_timeout == new->redis_socket_timeout &&
                 old->redis_idle_timeout == new->redis_idle_timeout;
    if (!redis)
        warn_restart("redis: connection");
    if (!same(old->key_prefix, new->key_prefix))
        warn_restart("redis.key_prefix");
    if (old->max_connections != new->max_connections)
        warn_restart("redis.max_connections");
    if (conf_reserved_connections(new) > conf_reserved_connections(old))
        warn_restart("worker.queues: more of them than connections are reserved for");
    if (old->lease != new->lease)
        warn_restart("worker.lease");
    if (!same(old->metrics_listen, new->metrics_listen))
        warn_restart("metrics.listen");
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
