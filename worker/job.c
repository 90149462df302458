#include "worker/job.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "job/envelope.h"

struct claim *claim_new(uint64_t seq, uint64_t generation, const char *queue, unsigned n,
                        struct reply *reply)
{
    struct claim *c = calloc(1, sizeof *c + n * sizeof c->jobs[0]);
    if (!c)
        return NULL;
    c->queue = strdup(queue);
    if (!c->queue) {
        free(c);
        return NULL;
    }
    c->seq = seq;
    c->generation = generation;
    c->reply = reply;
    c->claimed_ns = clock_now_ns();
    c->n = c->away = n;
    for (unsigned i = 0; i < n; i++) {
        c->jobs[i].claim = c;
        c->jobs[i].index = i;
    }
    return c;
}

void claim_free(struct claim *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->n; i++)
        settlement_free(c->jobs[i].end);
    reply_free(c->reply);
    free(c->queue);
    free(c);
}

void job_log(enum log_level level, const char *msg, const struct job *job)
{
    struct envelope e;
    struct log_field queue = log_str("queue", job->claim->queue);
    if (envelope_parse(job->payload, &e, NULL) != 0) {
        log_at(level, msg, queue);
        return;
    }
    log_at(level, msg, log_str("jid", e.jid_is_new ? "" : e.jid), log_str("class", e.klass), queue);
    envelope_release(&e);
}

struct settlement *settlement_new(enum settle_where where, enum settle_stats stats)
{
    struct settlement *s = calloc(1, sizeof *s);
    if (s) {
        s->where = where;
        s->stats = stats;
    }
    return s;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n; i++)
        buf_release(&r->values[i]);
    buf_release(&r->event);
    free(r->jid);
    free(r);
}

void settlement_free(struct settlement *s)
{
    if (!s)
        return;
    record_free(s->record);
    buf_release(&s->payload);
    free(s->queue);
    free(s);
}

struct record *record_new(const char *jid, int64_t ttl_s)
{
    struct record *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->jid = strdup(jid);
    if (!r->jid) {
        free(r);
        return NULL;
    }
    r->ttl_s = ttl_s;
    return r;
}

void record_add_slice(struct record *r, const char *name, struct slice value)
{
    assert(r->n < RECORD_FIELDS_MAX);
    struct buf *b = &r->values[r->n];
    buf_put(b, value);
    r->fields[r->n++] = (struct settle_field){name, buf_slice(b)};
}

void record_add(struct record *r, const char *name, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap); /* numbers and short words: fits */
    va_end(ap);
    record_add_slice(r, name, slice_of(text));
}
