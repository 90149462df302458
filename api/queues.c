/* GET /v1/queues, POST /v1/queues/{queue}/pause and /resume. */
#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "job/envelope.h"
#include "store/inspect_json.h"
#include "store/pause.h"

void answer_queues(struct call *c)
{
    struct snapshot *s = snapshot_for(c, SNAPSHOT_FIGURES);
    if (!s)
        return;
    inspect_put_queues(&c->res->body, s->queues, s->nqueues);
    buf_putc(&c->res->body, '\n');
    snapshot_unref(s);
}

static void set_paused(struct call *c, bool paused)
{
    struct err err = {""};
    struct buf *out = &c->res->body;
    bool changed = false;
    if (!job_queue_name_ok(c->param)) {
        http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_queue",
                     "the name of a queue must be 1 to 256 bytes without white space, commas and "
                     "quotes",
                     "queue", -1);
        return;
    }
    if (!call_redis(c))
        return;
    int rc = store_pause(c->api->store, c->redis, c->param, paused, &changed, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    buf_puts(out, "{\"queue\":");
    json_put_string(out, slice_of(c->param), SIZE_MAX);
    buf_printf(out, ",\"paused\":%s,\"changed\":%s}\n", paused ? "true" : "false",
               changed ? "true" : "false");
}

void answer_pause(struct call *c)
{
    set_paused(c, true);
}

void answer_resume(struct call *c)
{
    set_paused(c, false);
}
