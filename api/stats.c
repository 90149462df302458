/* GET /v1/stats. */
#include "api/parts.h"
#include "api/routes.h"
#include "store/inspect_json.h"

void answer_stats(struct call *c)
{
    struct err err = {""};
    struct snapshot *s = NULL;
    int rc = snapshot_get(c, &s, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    inspect_put_stats(&c->res->body, &s->stats);
    buf_putc(&c->res->body, '\n');
    snapshot_unref(s);
}
