/* GET /v1/stats. */
#include "api/parts.h"
#include "api/routes.h"
#include "store/inspect_json.h"

void answer_stats(struct call *c)
{
    struct snapshot *s = snapshot_for(c, SNAPSHOT_FIGURES);
    if (!s)
        return;
    inspect_put_stats(&c->res->body, &s->stats);
    buf_putc(&c->res->body, '\n');
    snapshot_unref(s);
}
