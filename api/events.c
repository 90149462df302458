/* GET /v1/jobs/{jid}/events: live, as server-sent events; or a page of JSON. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "store/job_view.h"

enum { PAGE_DEFAULT = 1000, PAGE_MAX = 10000, PAGE_BYTES_MAX = 4 << 20 };
#define ID_MAX INT64_C(1000000000000)

static void put_event(struct buf *out, struct slice event)
{
    enum json_type type;
    if (json_scan(event, &type, NULL, NULL, NULL) == 0)
        buf_put(out, event);
    else
        json_put_string(out, event, SIZE_MAX);
}

static void put_page(struct call *c, const struct stream_page *page, int64_t after)
{
    struct buf *out = &c->res->body;
    bool silent;
    enum job_end end = stream_page_end(page, after, &silent);
    buf_puts(out, "{\"jid\":");
    json_put_string(out, slice_of(c->param), SIZE_MAX);
    buf_printf(out, ",\"length\":%" PRId64 ",\"events\":[", page->length);
    for (size_t i = 0; i < page->n; i++) {
        struct slice event = stream_page_event(page, i);
        buf_printf(out, "%s{\"id\":%" PRId64 ",\"event\":", i > 0 ? "," : "",
                   after + 1 + (int64_t)i);
        put_event(out, event);
        buf_putc(out, '}');
    }
    buf_printf(out, "],\"next\":%" PRId64 ",\"end\":", after + (int64_t)page->n);
    if (end == JOB_GOES_ON)
        buf_puts(out, "null}\n");
    else
        buf_printf(out, "\"%s\"}\n", job_end_name(end));
}

static void answer_events_page(struct call *c, int64_t after, int64_t limit)
{
    struct err err = {""};
    struct stream_page page;
    if (!call_redis(c))
        return;
    int rc = store_stream_page(c->api->store, c->redis, c->param, after, limit, PAGE_BYTES_MAX,
                               &page, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    put_page(c, &page, after);
    reply_free(page.reply);
}

/* The header, which is what a browser sends when it comes back, goes before the parameter. */
static bool read_after(struct call *c, int64_t *ret)
{
    const char *id = http_header(c->x, "Last-Event-ID");
    *ret = 0;
    if (!call_query(c, "after", 0, ID_MAX, ret))
        return false;
    if (!id)
        return true;
    size_t n = strlen(id);
    if (n > 0 && n <= 12 && strspn(id, "0123456789") == n) {
        *ret = strtoll(id, NULL, 10);
        return true;
    }
    http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_parameter",
                 "Last-Event-ID must be the id of an event: a whole number of at most 12 digits",
                 "Last-Event-ID", -1);
    return false;
}

void answer_events(struct call *c)
{
    const char *accept = http_header(c->x, "Accept");
    int64_t after, limit = PAGE_DEFAULT;
    if (!read_after(c, &after) || !call_query(c, "limit", 1, PAGE_MAX, &limit))
        return;
    if (accept && strstr(accept, HTTP_JSON)) {
        answer_events_page(c, after, limit);
    } else if (hub_view(c->api->hub, c->param, after, c->x) != 0) {
        http_fail(c->res, HTTP_UNAVAILABLE, "no_memory", "no memory for another viewer");
        http_set_header(c->res, "Retry-After", "1");
    }
}
