#include "report.h"

#include "base/json.h"

struct outer {
    struct slice queue, payload;
};

static int read_outer(void *ctx, const struct json_member *m)
{
    struct outer *r = ctx;
    if (json_key_is(m->key, "queue") && m->type == JSON_STRING)
        r->queue = m->value;
    else if (json_key_is(m->key, "payload") && (m->type == JSON_STRING || m->type == JSON_OBJECT))
        r->payload = m->value;
    return 0;
}

static int read_job(void *ctx, const struct json_member *m)
{
    struct report *r = ctx;
    if (json_key_is(m->key, "jid") && m->type == JSON_STRING)
        r->jid = m->value;
    else if (json_key_is(m->key, "class") && m->type == JSON_STRING)
        r->klass = m->value;
    return 0;
}

void report_read(struct slice text, struct buf *decoded, struct report *ret)
{
    struct outer outer = {0};
    struct report r = {0};
    enum json_type type;
    *ret = r;
    if (json_scan(text, &type, read_outer, &outer, NULL) != 0 || type != JSON_OBJECT)
        return;
    ret->queue = r.queue = outer.queue;
    struct slice job = outer.payload;
    if (job.n > 0 && json_type_of(job) == JSON_STRING)
        job = json_decode_string(job, decoded) == 0 ? buf_slice(decoded) : (struct slice){"", 0};
    if (job.n == 0 || json_scan(job, &type, read_job, &r, NULL) != 0 || type != JSON_OBJECT)
        return;
    r.job = job;
    *ret = r;
}
