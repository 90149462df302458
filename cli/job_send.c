#include "cli/job_send.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "job/envelope.h"
#include "store/enqueue.h"

/* A batch: jobs of one queue, or jobs for the schedule. Completed payloads lie behind each other
 * in `text`, which moves as it grows: hence offsets until it is sent. */
struct batch {
    size_t n;
    struct buf text;
    size_t end[JOB_SEND_BATCH];
    double due[JOB_SEND_BATCH];
    bool scheduled;
    const char *queue;
};

static uint64_t total(const struct job_sending *s)
{
    return s->list->n * s->repeat;
}

static int flush(struct job_sending *s, struct batch *b, const struct session *session,
                 struct err *err)
{
    struct slice payload[JOB_SEND_BATCH];
    int rc = buf_error(&b->text);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    for (size_t i = 0; i < b->n; i++) {
        size_t begin = i > 0 ? b->end[i - 1] : 0;
        payload[i] = (struct slice){b->text.p + begin, b->end[i] - begin};
    }
    s->in_flight = b->n;
    if (b->n == 0)
        return 0;
    if (b->scheduled)
        rc = store_schedule(session->store, session->redis, payload, b->due, b->n, err);
    else
        rc = store_push(session->store, session->redis, b->queue, payload, b->n, NULL, err);
    if (rc != 0)
        return b->scheduled ? err_prefix(err, rc, "schedule")
                            : err_prefix(err, rc, "queue \"%s\"", b->queue);
    s->sent += b->n;
    s->scheduled += b->scheduled ? b->n : 0;
    s->in_flight = 0;
    progress_draw_bar(&s->progress, "enqueueing", s->sent, total(s), s->began_ns);
    b->n = 0;
    buf_clear(&b->text);
    return 0;
}

/* ---- Order: by queue, so that batches are full; within a queue as listed --------------------- */

struct place {
    size_t index;
    size_t queue;
    bool later; /* for the schedule; a due time that has passed means now, as with Sidekiq */
};

static int by_queue(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->later != y->later)
        return x->later ? 1 : -1;
    if (!x->later && x->queue != y->queue)
        return x->queue < y->queue ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static struct place *in_order(const struct job_sending *s, double now)
{
    const struct job_list *l = s->list;
    struct place *place = calloc(l->n ? l->n : 1, sizeof *place);
    for (size_t i = 0; place && i < l->n; i++)
        place[i] = (struct place){i, l->job[i].queue, s->delay_s > 0 || l->job[i].due > now};
    if (place)
        qsort(place, l->n, sizeof *place, by_queue);
    return place;
}

/* Completes one job into the batch. */
static int complete(struct job_sending *s, struct batch *b, const struct place *place,
                    uint64_t round, double now, struct err *err)
{
    const struct listed_job *job = &s->list->job[place->index];
    const char *queue = s->list->queue[job->queue];
    struct envelope e;
    int rc = envelope_parse((struct slice){s->list->text.p + job->at, job->n}, &e, err);
    if (rc != 0)
        return rc;
    b->scheduled = place->later;
    b->queue = queue;
    b->due[b->n] = s->delay_s > 0 ? now + s->delay_s : job->due;
    rc = b->scheduled ? envelope_put_scheduled(&e, queue, now, &b->text)
                      : envelope_put_enqueued(&e, queue, now, &b->text);
    b->end[b->n++] = b->text.n;
    if (rc == 0 && s->jid && !(s->jid[place->index * s->repeat + round] = strdup(e.jid)))
        rc = -ENOMEM;
    envelope_release(&e);
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

int job_send(struct job_sending *s, const struct session *session, struct err *err)
{
    double now;
    s->began_ns = clock_now_ns();
    int rc = store_time(session->redis, &now, err);
    if (rc != 0)
        return rc;
    struct place *place = in_order(s, now);
    struct batch *b = calloc(1, sizeof *b);
    if (!place || !b) {
        rc = err_set(err, -ENOMEM, "no memory for %zu jobs", s->list->n);
        goto out;
    }
    for (size_t i = 0; rc == 0 && i < s->list->n; i++) {
        const struct place *last = i > 0 ? &place[i - 1] : &place[i];
        if (last->later != place[i].later || (!place[i].later && last->queue != place[i].queue))
            rc = flush(s, b, session, err);
        for (uint64_t round = 0; rc == 0 && round < s->repeat; round++) {
            if (b->n == JOB_SEND_BATCH || b->text.n >= JOB_SEND_BATCH_BYTES) {
                rc = flush(s, b, session, err);
                /* Enqueued then, not when the first of a million was. */
                if (rc == 0)
                    rc = store_time(session->redis, &now, err);
            }
            if (rc == 0)
                rc = complete(s, b, &place[i], round, now, err);
        }
    }
    if (rc == 0)
        rc = flush(s, b, session, err);
    progress_erase(&s->progress);
out:
    if (b)
        buf_release(&b->text);
    free(b);
    free(place);
    return rc;
}
