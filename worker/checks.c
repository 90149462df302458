/* Warnings at start: what in the server or the fleet will bring trouble, said before it does. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/lease.h"
#include "store/server.h"
#include "worker/parts.h"

enum { TAKE_MS = 5000 };

static void check_memory_policy(const struct server_info *info)
{
    if (info->maxmemory_policy[0] && strcmp(info->maxmemory_policy, "noeviction") != 0)
        log_warn("Redis may evict jobs: set maxmemory-policy noeviction",
                 log_str("maxmemory_policy", info->maxmemory_policy));
}

static void check_persistence(const struct server_info *info)
{
    if (!info->persistent)
        log_warn("Redis does not persist: a restart of it loses every job "
                 "(set appendonly yes, or save points)");
}

static void check_maxclients(const struct server_info *info, const struct conf *conf,
                             size_t replicas)
{
    int64_t fleet = (int64_t)replicas * conf->max_connections;
    if (info->maxclients > 0 && fleet > info->maxclients)
        log_warn("the fleet's pools exceed Redis' maxclients",
                 log_int("replicas", (int64_t)replicas),
                 log_int("max_connections", conf->max_connections), log_int("sum", fleet),
                 log_int("maxclients", info->maxclients));
}

void worker_check_server(struct worker *w)
{
    struct redis_conn *conn = NULL;
    struct server_info info;
    size_t replicas = 0;
    struct err err = {""};
    struct conf *conf = live_conf(&w->live, NULL);
    int rc = redis_pool_take(w->pool, clock_deadline_ms(TAKE_MS), &conn, &err);
    if (rc == 0)
        rc = store_server_info(conn, &info, &err);
    if (rc == 0)
        rc = store_live_workers(w->store, conn, &replicas, &err);
    if (conn)
        redis_pool_give(w->pool, conn);
    if (rc == 0) {
        log_info("connected to Redis", log_str("version", info.version),
                 log_int("live_workers", (int64_t)replicas));
        check_memory_policy(&info);
        check_persistence(&info);
        check_maxclients(&info, conf, replicas);
    } else {
        log_warn("could not look at the server's settings", log_str("error", err.text));
    }
    conf_unref(conf);
}
