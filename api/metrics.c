/* GET /metrics: requests, the gate, the process, and what Redis holds. */
#include "api/parts.h"
#include "api/routes.h"
#include "figures/figures.h"

static void put_traffic(struct buf *out, struct api *a)
{
    static const char *const classes[TRAFFIC_CLASSES] = {"broken_off", "1xx", "2xx",
                                                         "3xx",        "4xx", "5xx"};
    const char *name = "sluice_api_request_seconds";
    metrics_family(out, name, METRICS_HISTOGRAM,
                   "Requests, from the end of the head to the end of the answer.");
    for (int i = 0; i < TRAFFIC_CLASSES; i++)
        if (i != 1) /* there are none */
            metrics_put_histogram(out, name, metrics_labels({"status", classes[i]}),
                                  &a->traffic.duration[i]);
    metrics_gauge(out, "sluice_api_requests_running", "Requests under way, this one included.",
                  http_server_exchanges(a->http));
    metrics_gauge(out, "sluice_api_requests_waiting", "Of these, those that wait for a thread.",
                  crew_waiting(&a->crew));
    metrics_counter(out, "sluice_api_jobs_enqueued_total", "Jobs that requests have enqueued.",
                    (double)atomic_load(&a->enqueued));
}

static void put_queues(struct buf *out, const struct snapshot *s)
{
    const char *name = "sluice_queue_size";
    metrics_family(out, name, METRICS_GAUGE, "Jobs in a queue.");
    for (size_t i = 0; i < s->nqueues; i++)
        metrics_put(out, name, metrics_labels({"queue", s->queues[i].name}),
                    (double)s->queues[i].size);
    name = "sluice_queue_oldest_seconds";
    metrics_family(out, name, METRICS_GAUGE, "How long the next job of a queue has waited.");
    for (size_t i = 0; i < s->nqueues; i++)
        metrics_put(out, name, metrics_labels({"queue", s->queues[i].name}),
                    s->queues[i].latency_s);
    name = "sluice_queue_paused";
    metrics_family(out, name, METRICS_GAUGE, "1 while nobody takes jobs from a queue.");
    for (size_t i = 0; i < s->nqueues; i++)
        metrics_put(out, name, metrics_labels({"queue", s->queues[i].name}), s->queues[i].paused);
}

static void put_jobs(struct buf *out, const struct store_stats *s)
{
    const struct figure_state states[] = {{"enqueued", s->enqueued},
                                          {"claimed", s->claimed},
                                          {"scheduled", s->scheduled},
                                          {"retry", s->retries},
                                          {"dead", s->dead}};
    figures_put_states(out, "sluice_jobs", "Jobs in Redis, by where they are.", states,
                       sizeof states / sizeof states[0]);
    metrics_gauge(out, "sluice_workers", "Worker processes that report.", (double)s->workers);
}

static void put_hub(struct buf *out, struct hub *hub)
{
    struct hub_stats s;
    hub_stats(hub, &s);
    metrics_gauge(out, "sluice_api_viewers", "Clients that follow a job's events now.", s.viewers);
    metrics_gauge(out, "sluice_api_topics", "Jobs that they follow.", s.topics);
    metrics_counter(out, "sluice_api_events_sent_total", "Events sent to viewers.",
                    (double)s.events);
    metrics_counter(out, "sluice_api_stream_reads_total", "Readings of streams from Redis.",
                    (double)s.reads);
}

static void put_spool(struct buf *out, struct spool *spool)
{
    struct spool_stats s;
    if (!spool)
        return;
    spool_stats(spool, &s);
    metrics_gauge(out, "sluice_spool_jobs", "Jobs in the spool, which wait for Redis.",
                  (double)s.jobs);
    metrics_gauge(out, "sluice_spool_bytes", "Bytes of the spool's files.", (double)s.bytes);
    metrics_gauge(out, "sluice_spool_oldest_seconds", "How long the first of its jobs has waited.",
                  s.oldest_s);
    metrics_counter(out, "sluice_spool_spooled_jobs_total", "Jobs taken into the spool.",
                    (double)s.spooled);
    metrics_counter(out, "sluice_spool_replayed_jobs_total", "Jobs enqueued out of it.",
                    (double)s.replayed);
    metrics_counter(out, "sluice_spool_refused_jobs_total",
                    "Jobs that Redis refused at the replay, now in refused.jsonl.",
                    (double)s.refused);
    metrics_counter(out, "sluice_spool_failures_total",
                    "Requests refused since they could not be spooled.", (double)s.failures);
    metrics_counter(out, "sluice_spool_damages_total",
                    "Places of the spool that could not be read.", (double)s.damages);
}

void answer_metrics(struct call *c)
{
    struct buf *out = &c->res->body;
    struct snapshot *s = NULL;
    struct err err = {""};
    c->res->content_type = METRICS_CONTENT_TYPE;
    int rc = snapshot_get(c->api, SNAPSHOT_FIGURES, call_deadline_ns(c), &s, &err);
    put_traffic(out, c->api);
    put_hub(out, c->api->hub);
    put_spool(out, c->api->spool);
    metrics_gauge(out, "sluice_redis_up", "1 when Redis has answered within the last second.",
                  rc == 0);
    if (rc == 0) { /* without Redis, its figures are missing rather than wrong */
        put_queues(out, s);
        put_jobs(out, &s->stats);
        snapshot_unref(s);
    }
    figures_put_redis(out, c->api->pool);
    figures_put_process(out, c->api->born_at);
}
