#include "worker/live.h"

void live_init(struct live *l, struct conf *conf, struct registry *registry)
{
    *l = (struct live){.conf = conf, .registry = registry, .version = 1};
    mutex_init(&l->mutex);
}

void live_release(struct live *l)
{
    registry_unref(l->registry);
    conf_unref(l->conf);
    mutex_release(&l->mutex);
}

void live_swap(struct live *l, struct conf *conf, struct registry *registry)
{
    mutex_lock(&l->mutex);
    struct conf *old_conf = l->conf;
    struct registry *old_registry = l->registry;
    l->conf = conf;
    l->registry = registry;
    l->version++;
    mutex_unlock(&l->mutex);
    registry_unref(old_registry); /* outside the lock: it may close handlers */
    conf_unref(old_conf);
}

struct conf *live_conf(struct live *l, uint64_t *ret_version)
{
    mutex_lock(&l->mutex);
    struct conf *conf = conf_ref(l->conf);
    if (ret_version)
        *ret_version = l->version;
    mutex_unlock(&l->mutex);
    return conf;
}

int64_t live_max_payload(struct live *l)
{
    mutex_lock(&l->mutex);
    int64_t max_payload = l->conf->max_payload;
    mutex_unlock(&l->mutex);
    return max_payload;
}

struct registry *live_registry(struct live *l)
{
    mutex_lock(&l->mutex);
    struct registry *registry = registry_ref(l->registry);
    mutex_unlock(&l->mutex);
    return registry;
}
