/* GET /v1/search. */
#include "store/search.h"
#include "api/parts.h"
#include "api/routes.h"
#include "job/envelope.h"

void answer_search(struct call *c)
{
    struct err err = {""};
    char text[JOB_JID_MAX + 1];
    const char *jid = NULL;
    if (!call_query_text(c, "jid", text, sizeof text, &jid))
        return;
    if (!jid) {
        http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_parameter", "the parameter jid is wanted",
                     "jid", -1);
        return;
    }
    if (!call_redis(c))
        return;
    int rc = store_put_search(c->api->store, c->redis, jid, c->api->conf->max_payload,
                              &c->res->body, &err);
    if (rc != 0)
        call_fail(c, rc, &err);
    else
        buf_putc(&c->res->body, '\n');
}
