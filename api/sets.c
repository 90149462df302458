/* Of /v1/retry, /v1/schedule and /v1/dead: a page, and one job that is requeued or deleted. */
#include <stdlib.h>

#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "store/sets.h"

enum { PAGE_DEFAULT = 50, OFFSET_MAX = 1000000000 };

static enum job_set set_of(const struct call *c)
{
    return ((const struct route *)c->x->mark)->set;
}

void answer_set(struct call *c)
{
    struct err err = {""};
    int64_t offset = 0, limit = PAGE_DEFAULT;
    if (!call_query(c, "offset", 0, OFFSET_MAX, &offset) ||
        !call_query(c, "limit", 1, JOB_PAGE_MAX, &limit) || !call_redis(c))
        return;
    int rc = store_put_page(c->api->store, c->redis, set_of(c), offset, limit, &c->res->body, &err);
    if (rc != 0)
        call_fail(c, rc, &err);
    else
        buf_putc(&c->res->body, '\n');
}

static void put_jid(struct call *c)
{
    buf_puts(&c->res->body, "{\"jid\":");
    json_put_string(&c->res->body, slice_of(c->param), SIZE_MAX);
}

void answer_requeue(struct call *c)
{
    struct err err = {""};
    char *queue = NULL;
    if (!call_redis(c))
        return;
    int rc = store_requeue(c->api->store, c->redis, set_of(c), c->param, c->api->conf->max_payload,
                           &queue, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    put_jid(c);
    buf_puts(&c->res->body, ",\"queue\":");
    json_put_string(&c->res->body, slice_of(queue), SIZE_MAX);
    buf_puts(&c->res->body, "}\n");
    free(queue);
}

void answer_delete(struct call *c)
{
    struct err err = {""};
    if (!call_redis(c))
        return;
    int rc = store_delete(c->api->store, c->redis, set_of(c), c->param,
                          (int64_t)c->api->conf->stream_ttl, c->api->conf->max_payload, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    put_jid(c);
    buf_puts(&c->res->body, ",\"deleted\":true}\n");
}
