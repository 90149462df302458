/* GET /v1/workers, POST /v1/workers/{identity}/quiet, /resume and /stop. */
#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "store/inspect_json.h"
#include "store/wanted.h"

void answer_workers(struct call *c)
{
    struct snapshot *s = snapshot_for(c, SNAPSHOT_WORKERS);
    if (!s)
        return;
    inspect_put_workers(&c->res->body, s->workers, s->nworkers);
    buf_putc(&c->res->body, '\n');
    snapshot_unref(s);
}

/* Written down before it is told, so a worker that is away for a moment obeys when it is back. */
static void order(struct call *c, enum order_cmd cmd)
{
    struct err err = {""};
    struct buf *out = &c->res->body;
    struct given given = {0};
    if (!call_redis(c))
        return;
    int rc = store_order_give(c->api->store, c->redis, c->param, &(struct order){.cmd = cmd},
                              &given, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    reply_free(given.reply);
    c->res->status = HTTP_ACCEPTED;
    buf_puts(out, "{\"identity\":");
    json_put_string(out, slice_of(c->param), SIZE_MAX);
    buf_printf(out, ",\"order\":\"%s\"}\n", order_cmd_name(cmd));
}

void answer_worker_quiet(struct call *c)
{
    order(c, ORDER_QUIET);
}

void answer_worker_resume(struct call *c)
{
    order(c, ORDER_RESUME);
}

void answer_worker_stop(struct call *c)
{
    order(c, ORDER_STOP);
}
