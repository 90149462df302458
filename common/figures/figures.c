#include "figures/figures.h"

#include <sys/resource.h>

#include "base/process.h"

void figures_put_states(struct buf *out, const char *name, const char *help,
                        const struct figure_state *states, size_t n)
{
    metrics_family(out, name, METRICS_GAUGE, help);
    for (size_t i = 0; i < n; i++)
        metrics_put(out, name, metrics_labels({"state", states[i].name}), (double)states[i].n);
}

void figures_put_redis(struct buf *out, struct redis_pool *pool)
{
    struct redis_pool_stats s;
    redis_pool_stats(pool, &s);
    const struct figure_state permits[] = {{"limit", s.permits_limit},
                                           {"in_use", s.permits_in_use},
                                           {"waiting", s.permits_waiting},
                                           {"peak", s.permits_peak}};
    const struct figure_state connections[] = {{"limit", s.connections_limit},
                                               {"open", s.connections_open},
                                               {"in_use", s.connections_in_use},
                                               {"peak", s.connections_peak}};
    figures_put_states(out, "sluice_redis_permits", "The gate: operations on Redis at once.",
                       permits, sizeof permits / sizeof permits[0]);
    figures_put_states(out, "sluice_redis_connections",
                       "Connections to Redis, private ones included.", connections,
                       sizeof connections / sizeof connections[0]);

    metrics_family(out, "sluice_redis_permit_wait_seconds", METRICS_HISTOGRAM,
                   "Waits at the gate, of those that got a permit.");
    metrics_put_histogram(out, "sluice_redis_permit_wait_seconds", NULL, s.permit_wait);
    metrics_family(out, "sluice_redis_op_seconds", METRICS_HISTOGRAM,
                   "Operations, from a connection's take to its give.");
    metrics_put_histogram(out, "sluice_redis_op_seconds", NULL, s.op);

    metrics_counter(out, "sluice_redis_rides_total",
                    "Operations that another one took along on its connection.", (double)s.rode);
    metrics_counter(out, "sluice_redis_connects_total", "Connections opened.", (double)s.connects);
    metrics_counter(out, "sluice_redis_reconnects_total",
                    "Connections opened in place of ones that broke.", (double)s.reconnects);
    metrics_counter(out, "sluice_redis_connect_failures_total", "Failed attempts to connect.",
                    (double)s.connect_failures);
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

void figures_put_process(struct buf *out, double born_at)
{
    struct rusage used = {0};
    (void)getrusage(RUSAGE_SELF, &used); /* cannot fail for ourselves */
    metrics_family(out, "sluice_build_info", METRICS_GAUGE, "1, with the version.");
    metrics_put(out, "sluice_build_info", metrics_labels({"version", SLUICE_VERSION}), 1);
    metrics_counter(out, "process_cpu_seconds_total", "Processor time, of users and the system.",
                    seconds_of(used.ru_utime) + seconds_of(used.ru_stime));
    metrics_gauge(out, "process_resident_memory_bytes", "Memory in use.",
                  (double)process_rss_kb(0) * 1024);
    metrics_gauge(out, "process_start_time_seconds", "Start, in Unix time.", born_at);
}
