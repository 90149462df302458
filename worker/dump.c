/* The state dump (SIGUSR1): what a person wants to see of a worker at 3 a.m., as log lines. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/child.h"
#include "handlers/process_pool.h"
#include "worker/parts.h"

static void dump_gate(struct worker *w)
{
    struct redis_pool_stats s;
    redis_pool_stats(w->pool, &s);
    log_info("state: gate", log_int("permits", s.permits_limit),
             log_int("in_use", s.permits_in_use), log_int("waiting", s.permits_waiting),
             log_int("peak", s.permits_peak), log_int("wait_p50_us", (int64_t)s.permit_wait_p50_us),
             log_int("wait_p99_us", (int64_t)s.permit_wait_p99_us),
             log_int("takes", (int64_t)s.takes), log_int("rode", (int64_t)s.rode));
    log_info("state: connections", log_int("limit", s.connections_limit),
             log_int("open", s.connections_open), log_int("in_use", s.connections_in_use),
             log_int("peak", s.connections_peak), log_int("private", s.reserved_open),
             log_int("connects", (int64_t)s.connects),
             log_int("failures", (int64_t)s.connect_failures),
             log_int("discarded", (int64_t)s.discarded),
             log_str("breaker", s.breaker_open ? "open" : "closed"));
}

static void dump_work(struct worker *w)
{
    struct dispatch_stats d;
    dispatch_stats(&w->dispatch, &d);
    log_info("state: dispatch", log_int("threads", d.limit), log_int("running", d.running),
             log_int("ready", d.ready), log_int("sleeping", d.sleeping),
             log_int("claiming", d.claimers), log_str("open", d.open ? "yes" : "no"),
             log_str("queues", d.dry ? "dry" : "may hold jobs"),
             log_real("mean_job_us", d.mean_ns < 0 ? 0 : d.mean_ns / 1000));
    log_info("state: jobs", log_int("done", (int64_t)tally_total(&w->tally, TALLY_DONE)),
             log_int("failed", (int64_t)tally_total(&w->tally, TALLY_FAILED)),
             log_int("dead", (int64_t)tally_total(&w->tally, TALLY_DEAD)),
             log_int("stopped", (int64_t)tally_total(&w->tally, TALLY_STOPPED)),
             log_int("malformed", (int64_t)atomic_load(&w->runner.malformed)),
             log_int("oversize", (int64_t)atomic_load(&w->oversize.jobs)),
             log_int("expired", (int64_t)atomic_load(&w->runner.expired)),
             log_int("lost", (int64_t)atomic_load(&w->settler.lost)),
             log_int("unsettled", settler_pending(&w->settler)),
             log_int("claims", (int64_t)inflight_count(&w->inflight)));
    log_info("state: processes", log_int("children", child_count()),
             log_int("idle", process_count(PROCESS_IDLE)),
             log_int("starting", process_count(PROCESS_EMPTY)));
    log_info("state: services",
             log_str("lease", heartbeat_fresh(&w->heartbeat) ? "held" : "lapsed"),
             log_int("lapses", (int64_t)heartbeat_generation(&w->heartbeat)),
             log_int("promoted", (int64_t)atomic_load(&w->scheduler.promoted)),
             log_int("recovered", (int64_t)atomic_load(&w->reaper.recovered)),
             log_int("adopted", (int64_t)atomic_load(&w->reaper.adopted)),
             log_int("stream_events", (int64_t)atomic_load(&w->streamer.events)));
}

static void dump_jobs(struct worker *w)
{
    enum { SHOWN_MAX = 200 };
    struct presence_job *jobs = calloc(SHOWN_MAX, sizeof *jobs);
    if (!jobs)
        return;
    int n = runner_jobs(&w->runner, jobs, SHOWN_MAX);
    double now = heartbeat_redis_now(&w->heartbeat);
    for (int i = 0; i < n; i++)
        log_info("state: running", log_int("thread", jobs[i].thread), log_str("jid", jobs[i].jid),
                 log_str("class", jobs[i].klass), log_str("queue", jobs[i].queue),
                 log_real("for_s", now - jobs[i].started_at));
    runner_jobs_free(jobs, n);
    free(jobs);
}

void worker_dump(struct worker *w)
{
    dump_gate(w);
    dump_work(w);
    dump_jobs(w);
}
