/* What a job's payload becomes when it fails, is enqueued or is scheduled. */
#include "job/envelope.h"

#include <inttypes.h>
#include <math.h>

#include "base/json.h"

enum { CHANGES_MAX = 8 };

/* The members to splice, gathered one by one. Their values lie in one buffer that may move while
 * it grows; they become slices of it only at the end. */
struct changes {
    struct buf text;
    int n;
    const char *key[CHANGES_MAX];
    size_t begin[CHANGES_MAX];
};

/* What is appended to the returned buffer up to the next change is the value of key: nothing at
 * all removes it. */
static struct buf *change(struct changes *c, const char *key)
{
    c->key[c->n] = key;
    c->begin[c->n] = c->text.n;
    c->n++;
    return &c->text;
}

/* Splices the payload with the changes and ends them. */
static int apply(struct changes *c, const struct envelope *e, struct buf *out)
{
    struct splice splices[CHANGES_MAX];
    for (int i = 0; i < c->n; i++) {
        size_t end = i + 1 < c->n ? c->begin[i + 1] : c->text.n;
        splices[i] =
            (struct splice){c->key[i], {buf_str(&c->text) + c->begin[i], end - c->begin[i]}};
    }
    int rc = buf_error(&c->text);
    if (rc == 0)
        rc = envelope_splice(e->payload, splices, c->n, out);
    buf_release(&c->text);
    return rc;
}

static void change_string(struct changes *c, const char *key, const char *value)
{
    json_put_string(change(c, key), slice_of(value), SIZE_MAX);
}

/* jid and queue: the payload must name both wherever it goes. The trace goes along. */
static void change_names(struct changes *c, const struct envelope *e, const char *queue)
{
    if (e->jid_is_new)
        change_string(c, "jid", e->jid);
    if (!e->queue || strcmp(e->queue, queue) != 0)
        change_string(c, "queue", queue);
    if (!e->traceparent && e->request_traceparent)
        change_string(c, "traceparent", e->request_traceparent);
}

int envelope_put_failure(const struct envelope *e, const char *queue, const char *error_class,
                         struct slice message, double now, struct buf *out)
{
    struct changes c = {0};
    buf_printf(change(&c, "retry_count"), "%" PRId64, e->retry_count + 1);
    job_put_time(change(&c, e->failed_at == 0 ? "failed_at" : "retried_at"), now);
    change_string(&c, "error_class", error_class);
    json_put_string(change(&c, "error_message"), message, JOB_ERROR_MESSAGE_MAX);
    change_names(&c, e, e->retry_queue ? e->retry_queue : queue);
    return apply(&c, e, out);
}

int envelope_put_enqueued(const struct envelope *e, const char *queue, double now, struct buf *out)
{
    struct changes c = {0};
    change_names(&c, e, queue);
    if (e->created_at == 0)
        job_put_time(change(&c, "created_at"), now);
    job_put_time(change(&c, "enqueued_at"), now);
    change(&c, "at");
    return apply(&c, e, out);
}

int envelope_put_renewed(const struct envelope *e, const char *queue, double now, struct buf *out)
{
    struct changes c = {0};
    change_names(&c, e, queue);
    if (e->created_at == 0)
        job_put_time(change(&c, "created_at"), now);
    job_put_time(change(&c, "enqueued_at"), now);
    change(&c, "at");
    change(&c, "retry_count");
    change(&c, "failed_at");
    change(&c, "retried_at");
    return apply(&c, e, out);
}

int envelope_put_scheduled(const struct envelope *e, const char *queue, double now, struct buf *out)
{
    struct changes c = {0};
    change_names(&c, e, queue);
    if (e->created_at == 0)
        job_put_time(change(&c, "created_at"), now);
    change(&c, "enqueued_at");
    change(&c, "at");
    return apply(&c, e, out);
}

const char *envelope_next_queue(const struct envelope *e)
{
    if (e->retry_queue && e->retry_count >= 0)
        return e->retry_queue;
    return e->queue ? e->queue : "default";
}

void job_put_time(struct buf *out, double seconds)
{
    double near = fmin(fmax(seconds, -1e12), 1e12);
    int64_t us = llround(near * 1e6);
    uint64_t size = us < 0 ? -(uint64_t)us : (uint64_t)us;
    char fraction[] = ".000000";
    for (uint64_t i = 6, left = size % 1000000; i > 0; i--, left /= 10)
        fraction[i] = (char)('0' + left % 10);
    if (us < 0)
        buf_putc(out, '-');
    buf_put_int(out, (int64_t)(size / 1000000));
    buf_puts(out, fraction);
}
