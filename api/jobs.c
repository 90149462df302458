/* GET and DELETE /v1/jobs/{jid}. */
#include "api/parts.h"
#include "api/routes.h"
#include "store/inspect_json.h"

void answer_job(struct call *c)
{
    struct err err = {""};
    struct reply *record = NULL;
    if (!call_redis(c))
        return;
    int rc = store_job_read(c->api->store, c->redis, c->param, &record, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
    } else if (reply_count(record) == 0) {
        http_fail(c->res, HTTP_NOT_FOUND, "not_recorded",
                  "nothing is recorded of this job: it is not tracked, has not started, or ended "
                  "too long ago");
    } else {
        inspect_put_job(&c->res->body, c->param, record);
        buf_putc(&c->res->body, '\n');
    }
    reply_free(record);
}

void answer_cancel(struct call *c)
{
    struct err err = {""};
    struct cancellation done = {0};
    if (!call_redis(c))
        return;
    int rc = store_cancel_job(c->api->store, c->redis, c->param, (int64_t)c->api->conf->stream_ttl,
                              c->api->conf->max_payload, &done, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    c->res->status = *done.where ? HTTP_OK : HTTP_ACCEPTED; /* or the order stands for a day */
    inspect_put_cancellation(&c->res->body, c->param, &done);
    buf_putc(&c->res->body, '\n');
    cancellation_release(&done);
}
