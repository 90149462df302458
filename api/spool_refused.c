#include "api/spool_refused.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

static void put_job(struct buf *out, const struct job_batch *b, size_t i)
{
    buf_puts(out, i > 0 ? ",{\"queue\":" : "{\"queue\":");
    json_put_string(out, slice_of(job_batch_queue(b, i)), SIZE_MAX);
    if (b->job[i].due > 0)
        buf_printf(out, ",\"due\":%.6f", b->job[i].due);
    buf_puts(out, ",\"payload\":");
    json_put_string(out, job_batch_payload(b, i), SIZE_MAX);
    buf_putc(out, '}');
}

static void put_line(struct buf *out, const struct spool_record *r, const struct job_batch *b,
                     const char *why)
{
    buf_printf(out, "{\"refused_at\":%.6f,\"accepted_at\":%.6f,\"reason\":",
               (double)clock_wall_us() / 1e6, (double)r->accepted_us / 1e6);
    json_put_string(out, slice_of(why), SIZE_MAX);
    buf_puts(out, ",\"idempotency_key\":");
    if (r->key.n > 0)
        json_put_string(out, r->key, SIZE_MAX);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"jobs\":[");
    for (size_t i = 0; i < b->n; i++)
        put_job(out, b, i);
    buf_puts(out, "]}\n");
}

int spool_refuse(const struct spool_folder *f, const struct spool_record *r,
                 const struct job_batch *b, const char *why, struct err *err)
{
    struct buf line = {0};
    put_line(&line, r, b, why);
    int rc = buf_error(&line);
    if (rc != 0)
        (void)err_set(err, rc, "%s", err_phrase(rc));
    else
        rc = spool_folder_refuse(f, buf_slice(&line), err);
    buf_release(&line);
    if (rc == 0)
        log_error("spooled jobs were refused, and are in refused.jsonl",
                  log_int("jobs", (int64_t)b->n), log_str("queue", job_batch_queue(b, 0)),
                  log_str("reason", why));
    return rc;
}
