#include "store/inspect_json.h"

#include <inttypes.h>

#include "base/json.h"
#include "job/envelope.h"

static const char *truth(bool b)
{
    return b ? "true" : "false";
}

/* An object of others, null when it is none. */
static void put_object(struct buf *out, struct slice text)
{
    enum json_type type;
    bool is_object = json_scan(text, &type, NULL, NULL, NULL) == 0 && type == JSON_OBJECT;
    buf_put(out, is_object ? text : slice_of("null"));
}

void inspect_put_stats(struct buf *out, const struct store_stats *s)
{
    const struct {
        const char *name;
        int64_t n;
    } figures[] = {
        {"processed", s->processed},
        {"failed", s->failed},
        {"processed_today", s->processed_today},
        {"failed_today", s->failed_today},
        {"enqueued", s->enqueued},
        {"claimed", s->claimed},
        {"scheduled", s->scheduled},
        {"retries", s->retries},
        {"dead", s->dead},
        {"workers", s->workers},
        {"busy", s->busy},
    };
    buf_putc(out, '{');
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        buf_printf(out, "\"%s\":%" PRId64 ",", figures[i].name, figures[i].n);
    buf_puts(out, "\"now\":");
    job_put_time(out, s->now);
    buf_putc(out, '}');
}

void inspect_put_queues(struct buf *out, const struct queue_info *q, size_t n)
{
    buf_puts(out, "{\"queues\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_put_string(out, slice_of(q[i].name), SIZE_MAX);
        buf_printf(out, ",\"size\":%" PRId64 ",\"latency\":%.3f,\"paused\":%s,\"wrong_type\":%s}",
                   q[i].size, q[i].latency_s, truth(q[i].paused), truth(q[i].wrong_type));
    }
    buf_puts(out, "]}");
}

const char *worker_info_state(const struct worker_info *w)
{
    bool reports = w->info[0] != '\0';
    if (w->sluice && !w->lease)
        return "lost"; /* others give its jobs back to their queues */
    if (!reports)
        return w->lease ? "starting" : "gone";
    return w->quiet ? "quiet" : "running";
}

/* Seconds, to the next power of two of a microsecond. */
static void put_quantiles(struct buf *out, const char *name, const struct histogram *h)
{
    if (histogram_total(h) == 0)
        buf_printf(out, ",\"%s\":null", name);
    else
        buf_printf(out, ",\"%s\":{\"p50\":%.6f,\"p99\":%.6f}", name,
                   (double)histogram_quantile_us(h, 0.5) / 1e6,
                   (double)histogram_quantile_us(h, 0.99) / 1e6);
}

static void put_gauges(struct buf *out, const struct gauges *g)
{
    if (!g->known) {
        buf_puts(out, ",\"permits\":null,\"connections\":null,\"processed\":null,"
                      "\"failed\":null,\"duration_s\":null,\"latency_s\":null");
        return;
    }
    buf_printf(out,
               ",\"permits\":{\"limit\":%" PRId64 ",\"in_use\":%" PRId64 ",\"waiting\":%" PRId64
               ",\"peak\":%" PRId64 "}",
               g->permits.limit, g->permits.in_use, g->permits.waiting, g->permits.peak);
    buf_printf(out,
               ",\"connections\":{\"limit\":%" PRId64 ",\"open\":%" PRId64 ",\"in_use\":%" PRId64
               ",\"peak\":%" PRId64 "}",
               g->connections.limit, g->connections.open, g->connections.in_use,
               g->connections.peak);
    buf_printf(out, ",\"processed\":%" PRId64 ",\"failed\":%" PRId64, g->processed, g->failed);
    put_quantiles(out, "duration_s", &g->duration);
    put_quantiles(out, "latency_s", &g->latency);
}

void inspect_put_workers(struct buf *out, const struct worker_info *w, size_t n)
{
    buf_puts(out, "{\"workers\":[");
    for (size_t i = 0; i < n; i++, w++) {
        buf_puts(out, i > 0 ? ",{\"identity\":" : "{\"identity\":");
        json_put_string(out, slice_of(w->identity), SIZE_MAX);
        buf_printf(out,
                   ",\"state\":\"%s\",\"sluice\":%s,\"lease\":%s,\"quiet\":%s,\"busy\":%" PRId64
                   ",\"threads\":%" PRId64 ",\"claims\":%" PRId64 ",\"rss_kb\":%" PRId64
                   ",\"rtt_us\":%" PRId64 ",\"beat\":",
                   worker_info_state(w), truth(w->sluice), truth(w->lease), truth(w->quiet),
                   w->busy, w->concurrency, w->claims, w->rss_kb, w->rtt_us);
        job_put_time(out, w->beat);
        put_gauges(out, &w->gauges);
        buf_puts(out, ",\"info\":");
        put_object(out, slice_of(w->info));
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

const struct job_field job_fields[JOB_FIELDS] = {
    {"state", JOB_TEXT},       {"class", JOB_TEXT},         {"queue", JOB_TEXT},
    {"attempt", JOB_NUMBER},   {"worker", JOB_TEXT},        {"started_at", JOB_TIME},
    {"finished_at", JOB_TIME}, {"duration_s", JOB_SECONDS}, {"peak_rss_kb", JOB_NUMBER},
    {"cpu_s", JOB_SECONDS},    {"error_class", JOB_TEXT},   {"error", JOB_TEXT},
    {"result", JOB_JSON},
};

/* What anybody may have written there is text, or left out where only a number makes sense. */
static void put_field(struct buf *out, const struct job_field *field, struct slice value)
{
    enum json_type type = JSON_STRING;
    int64_t whole;
    bool is_json = field->kind != JOB_TEXT && json_scan(value, &type, NULL, NULL, NULL) == 0;
    if (field->kind != JOB_TEXT && field->kind != JOB_JSON && (!is_json || type != JSON_NUMBER))
        return;
    if (field->kind == JOB_NUMBER && json_decode_int(value, &whole) != 0)
        return;
    buf_printf(out, ",\"%s\":", field->name);
    if (is_json)
        buf_put(out, value);
    else
        json_put_string(out, value, SIZE_MAX);
}

void inspect_put_job(struct buf *out, const char *jid, const struct reply *record)
{
    buf_puts(out, "{\"jid\":");
    json_put_string(out, slice_of(jid), SIZE_MAX);
    for (size_t i = 0; i < JOB_FIELDS; i++) {
        const struct reply *value = reply_field(record, job_fields[i].name);
        if (value)
            put_field(out, &job_fields[i], reply_str(value));
    }
    buf_putc(out, '}');
}

void inspect_put_cancellation(struct buf *out, const char *jid, const struct cancellation *c)
{
    buf_puts(out, "{\"jid\":");
    json_put_string(out, slice_of(jid), SIZE_MAX);
    buf_puts(out, ",\"withdrawn\":");
    if (*c->where)
        json_put_string(out, slice_of(c->where), SIZE_MAX);
    else
        buf_puts(out, "null");
    buf_printf(out, ",\"running\":%s}", truth(c->running));
}
