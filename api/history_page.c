/* GET /v1/history. */
#include "api/parts.h"
#include "api/routes.h"

void answer_history(struct call *c)
{
    struct sampler *s = &c->api->sampler;
    struct err err = {""};
    double after = 0;
    if (!call_query_time(c, "after", &after))
        return;
    int rc = history_put(&s->history, after, sampler_now(s), &c->res->body);
    if (rc != 0)
        call_fail(c, rc, &err);
    else
        buf_putc(&c->res->body, '\n');
}
