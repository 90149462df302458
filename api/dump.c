/* USR1: what the process is doing now, in one line of the log. */
#include "api/parts.h"
#include "base/log.h"

void api_dump(struct api *a)
{
    struct redis_pool_stats pool;
    struct hub_stats hub;
    redis_pool_stats(a->pool, &pool);
    hub_stats(a->hub, &hub);
    log_info("state", log_int("requests", http_server_exchanges(a->http)),
             log_int("waiting", crew_waiting(&a->crew)), log_int("viewers", hub.viewers),
             log_int("topics", hub.topics), log_int("permits_in_use", pool.permits_in_use),
             log_int("permits_waiting", pool.permits_waiting),
             log_int("permits_limit", pool.permits_limit),
             log_int("connections_open", pool.connections_open),
             log_int("connections_limit", pool.connections_limit),
             log_str("redis", pool.breaker_open ? "away" : "there"),
             log_str("stopping", atomic_load(&a->stopping) ? "yes" : "no"));
}
