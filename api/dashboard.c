/* GET / and /dashboard/{file}: the dashboard, which is a client of this API like any other. */
#include "api/assets.h"
#include "api/routes.h"

static const struct asset *find(const char *name)
{
    for (const struct asset *a = dashboard_assets; a->name; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

/* A browser asks each time whether a file is still the same, so that an update shows at once. */
static void answer_asset(struct call *c, const char *name)
{
    const struct asset *a = find(name);
    const char *known = http_header(c->x, "If-None-Match");
    if (!a) {
        http_fail(c->res, HTTP_NOT_FOUND, "not_found", "the dashboard has no such file");
        return;
    }
    c->res->content_type = a->type;
    c->res->cache_control = "no-cache";
    http_set_header(c->res, "ETag", a->etag);
    http_set_header(c->res, "X-Content-Type-Options", "nosniff");
    http_set_header(c->res, "X-Frame-Options", "DENY");
    if (known && strstr(known, a->etag))
        c->res->status = HTTP_NOT_MODIFIED;
    else
        buf_append(&c->res->body, a->bytes, a->n);
}

void answer_dashboard(struct call *c)
{
    answer_asset(c, "index.html");
}

void answer_dashboard_file(struct call *c)
{
    answer_asset(c, c->param);
}
