#include "worker/metrics.h"

#include "figures/figures.h"
#include "handlers/child.h"
#include "handlers/process_pool.h"
#include "worker/parts.h"

/* ---- jobs ---- */

static void put_outcomes(struct buf *out, struct tally *t, unsigned n)
{
    static const char *const names[] = {[TALLY_DONE] = "done",
                                        [TALLY_FAILED] = "failed",
                                        [TALLY_DEAD] = "dead",
                                        [TALLY_STOPPED] = "stopped"};
    const char *name = "sluice_jobs_processed_total";
    metrics_family(out, name, METRICS_COUNTER,
                   "Runs that ended: done, failed (retried, or dropped if the job asked for "
                   "that) or dead.");
    for (unsigned i = 0; i < n; i++) {
        const struct tally_entry *e = t->entries[i];
        for (int o = 0; o < TALLY_OUTCOMES; o++)
            metrics_put(out, name,
                        metrics_labels({"queue", e->queue->name}, {"class", e->klass},
                                       {"outcome", names[o]}),
                        (double)histogram_total(&e->duration[o]));
    }
}

static void put_times(struct buf *out, struct tally *t, unsigned nentries, unsigned nqueues)
{
    const char *name = "sluice_job_duration_seconds";
    metrics_family(out, name, METRICS_HISTOGRAM, "How long handlers ran.");
    for (unsigned i = 0; i < nentries; i++) {
        const struct tally_entry *e = t->entries[i];
        struct histogram all = {0}; /* runs of any outcome */
        for (int o = 0; o < TALLY_OUTCOMES; o++)
            histogram_add(&all, &e->duration[o]);
        metrics_put_histogram(out, name,
                              metrics_labels({"queue", e->queue->name}, {"class", e->klass}), &all);
    }
    name = "sluice_queue_latency_seconds";
    metrics_family(out, name, METRICS_HISTOGRAM,
                   "From a job's enqueued_at to its start; jobs without enqueued_at are left out.");
    for (unsigned i = 0; i < nqueues; i++)
        metrics_put_histogram(out, name, metrics_labels({"queue", t->queues[i]->name}),
                              &t->queues[i]->latency);
}

static void put_tally(struct buf *out, struct tally *t)
{
    /* The entries first: each has its queue in the list before it. */
    unsigned nentries = atomic_load_explicit(&t->nentries, memory_order_acquire);
    unsigned nqueues = atomic_load_explicit(&t->nqueues, memory_order_acquire);
    put_outcomes(out, t, nentries);
    put_times(out, t, nentries, nqueues);
}

static void put_counts(struct buf *out, struct worker *w)
{
    const struct {
        const char *name, *help;
        atomic_uint_fast64_t *n;
    } counters[] = {
        {"sluice_jobs_malformed_total", "Payloads that are no job, moved to dead.",
         &w->runner.malformed},
        {"sluice_jobs_oversize_total", "Jobs larger than max_payload, moved to dead.",
         &w->oversize.jobs},
        {"sluice_jobs_expired_total", "Jobs dropped because they had expired.", &w->runner.expired},
        {"sluice_jobs_lost_total", "Jobs whose end was not written: they were no longer ours.",
         &w->settler.lost},
        {"sluice_jobs_promoted_total", "Scheduled jobs and retries moved to their queue.",
         &w->scheduler.promoted},
        {"sluice_recovered_jobs_total", "Jobs of dead workers given back to their queues.",
         &w->reaper.recovered},
        {"sluice_buried_jobs_total", "Jobs moved to dead because their workers kept dying.",
         &w->reaper.buried},
        {"sluice_adopted_jobs_total", "Jobs of our own claims whose reply had been lost.",
         &w->reaper.adopted},
        {"sluice_stream_events_total", "Events of jobs appended to their streams.",
         &w->streamer.events},
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        metrics_counter(out, counters[i].name, counters[i].help,
                        (double)atomic_load(counters[i].n));
}

static void put_processes(struct buf *out)
{
    int idle = process_count(PROCESS_IDLE);
    const struct figure_state states[] = {
        {"busy", child_count() - idle}, {"idle", idle}, {"starting", process_count(PROCESS_EMPTY)}};
    figures_put_states(
        out, "sluice_handler_processes",
        "Processes of handlers: at work on a job (or about to end), waiting for one, still "
        "to be started.",
        states, sizeof states / sizeof states[0]);
}

static void put_work(struct buf *out, struct worker *w)
{
    struct dispatch_stats d;
    dispatch_stats(&w->dispatch, &d);
    metrics_gauge(out, "sluice_threads", "Jobs that may run at once.", d.limit);
    metrics_gauge(out, "sluice_jobs_running", "Jobs that run now.", d.running);
    metrics_gauge(out, "sluice_jobs_ready", "Claimed jobs that wait for a thread.", d.ready);
    metrics_gauge(out, "sluice_jobs_unsettled", "Finished jobs whose end is not in Redis yet.",
                  settler_pending(&w->settler));
    put_processes(out);
}

static void put_lease(struct buf *out, struct worker *w)
{
    metrics_gauge(out, "sluice_lease_held", "1 while this worker's lease is certainly held.",
                  heartbeat_fresh(&w->heartbeat));
    metrics_counter(out, "sluice_lease_lapses_total", "Times the lease had lapsed.",
                    (double)heartbeat_generation(&w->heartbeat));
}

void worker_put_metrics(struct worker *w, struct buf *out)
{
    put_tally(out, &w->tally);
    put_counts(out, w);
    put_work(out, w);
    figures_put_redis(out, w->pool);
    put_lease(out, w);
    figures_put_process(out, w->born_at);
}
