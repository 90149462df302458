/* GET /v1/running. */
#include "api/parts.h"
#include "api/routes.h"

void answer_running(struct call *c)
{
    int64_t limit = RUNNING_MAX;
    if (!call_query(c, "limit", 1, RUNNING_MAX, &limit))
        return;
    struct snapshot *s = snapshot_for(c, SNAPSHOT_RUNNING);
    if (!s)
        return;
    running_put(&c->res->body, &s->running, (size_t)limit);
    buf_putc(&c->res->body, '\n');
    snapshot_unref(s);
}
