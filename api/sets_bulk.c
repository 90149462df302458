/* POST /v1/retry/requeue and DELETE /v1/retry, likewise of schedule and dead: many jobs at once. */
#include <inttypes.h>

#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "store/sets_bulk.h"

enum { FILTER_MAX = 1024 };

static bool bad_parameter(struct call *c, const char *message, const char *name)
{
    http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_parameter", message, name, -1);
    return false;
}

struct filters {
    char klass[FILTER_MAX], error_class[FILTER_MAX];
};

/* A filter that is misspelt, or empty, must not come to mean everything. */
static bool read_order(struct call *c, struct filters *f, struct bulk_order *ret)
{
    static const char *const known[] = {"class", "error_class", "limit", "after"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        n += http_query(c->x, known[i]) != NULL;
    if (http_queries(c->x) != n)
        return bad_parameter(
            c, "the parameters here are class, error_class, limit and after, each once", NULL);
    if (!call_query_text(c, "class", f->klass, sizeof f->klass, &ret->klass) ||
        !call_query_text(c, "error_class", f->error_class, sizeof f->error_class,
                         &ret->error_class) ||
        !call_query(c, "limit", 1, BULK_MAX, &ret->limit))
        return false;
    ret->after = http_query(c->x, "after");
    if (ret->after && !bulk_cursor_ok(ret->after))
        return bad_parameter(c, "the parameter after must be what `next` of an answer was",
                             "after");
    return true;
}

static void put_result(struct buf *out, const struct bulk_result *r)
{
    buf_printf(out, "{\"done\":%" PRId64 ",\"left\":%" PRId64 ",\"skipped\":%" PRId64 ",\"next\":",
               r->done, r->left, r->skipped);
    if (r->next[0])
        buf_printf(out, "\"%s\"}\n", r->next);
    else
        buf_puts(out, "null}\n");
}

static void answer_many(struct call *c, enum bulk_action action)
{
    const struct conf *conf = c->api->conf;
    struct err err = {""};
    struct filters filters;
    struct bulk_result result;
    struct bulk_order order = {.set = ((const struct route *)c->x->mark)->set,
                               .action = action,
                               .limit = BULK_MAX,
                               .max_payload = conf->max_payload,
                               .ttl_s = (int64_t)conf->stream_ttl};
    if (!read_order(c, &filters, &order) || !call_redis(c))
        return;
    int rc = store_bulk(c->api->store, c->redis, &order, &result, &err);
    if (rc != 0)
        call_fail(c, rc, &err);
    else
        put_result(&c->res->body, &result);
}

void answer_requeue_many(struct call *c)
{
    answer_many(c, BULK_REQUEUE);
}

void answer_delete_many(struct call *c)
{
    answer_many(c, BULK_DELETE);
}
