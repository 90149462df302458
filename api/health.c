/* /livez and /readyz. */
#include "api/parts.h"
#include "api/routes.h"

static void answer_ok(struct call *c)
{
    buf_puts(&c->res->body, "{\"status\":\"ok\"}\n");
}

/* It has been answered by one of the threads that serve everybody: so they go round. */
void answer_livez(struct call *c)
{
    answer_ok(c);
}

void answer_readyz(struct call *c)
{
    struct err err = {""};
    if (!call_redis(c))
        return;
    int rc = redis_callf(c->redis, NULL, &err, "PING");
    if (rc == 0)
        answer_ok(c);
    else
        call_fail(c, rc, &err);
}
