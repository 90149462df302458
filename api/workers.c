/* GET /v1/workers, POST /v1/workers/{identity}/quiet, /resume and /stop. */
#include <inttypes.h>
#include <stdio.h>

#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "store/control.h"
#include "store/inspect_json.h"

void answer_workers(struct call *c)
{
    struct snapshot *s = snapshot_for(c, SNAPSHOT_WORKERS);
    if (!s)
        return;
    inspect_put_workers(&c->res->body, s->workers, s->nworkers);
    buf_putc(&c->res->body, '\n');
    snapshot_unref(s);
}

/* An order is heard at once or not at all. */
static void order(struct call *c, const char *cmd)
{
    struct err err = {""};
    struct buf *out = &c->res->body;
    char message[32];
    int64_t heard = 0;
    (void)snprintf(message, sizeof message, "{\"cmd\":\"%s\"}", cmd); /* fits */
    if (!call_redis(c))
        return;
    int rc = store_control_send(c->api->store, c->redis, c->param, slice_of(message), &heard, &err);
    if (rc == 0 && heard == 0)
        rc = err_set(&err, -ENOENT, "no worker of this identity listens");
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    c->res->status = HTTP_ACCEPTED;
    buf_puts(out, "{\"identity\":");
    json_put_string(out, slice_of(c->param), SIZE_MAX);
    buf_printf(out, ",\"order\":\"%s\"}\n", cmd);
}

void answer_worker_quiet(struct call *c)
{
    order(c, "quiet");
}

void answer_worker_resume(struct call *c)
{
    order(c, "resume");
}

void answer_worker_stop(struct call *c)
{
    order(c, "stop");
}
