/* Reload: what of new settings can take effect without a restart, and a warning for the rest. */
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
