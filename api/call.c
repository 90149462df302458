#include "api/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/parts.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/path.h"

int64_t call_deadline_ns(const struct call *c)
{
    return c->x->whole_ns + (int64_t)(c->api->conf->api_max_wait * (double)NS_PER_S);
}

/* The parameter of its path. */
static bool read_param(struct call *c, const struct route *route)
{
    struct slice param = {"", 0};
    if (!http_path_match(route->path, c->x->req.path, &param))
        return true; /* cannot be: it was found by it */
    if (http_decode(param, c->param, sizeof c->param) == 0)
        return true;
    http_fail(c->res, HTTP_BAD_REQUEST, "bad_path",
              "the path must be UTF-8, percent-encoded, without NUL");
    return false;
}

void call_answer(struct api *a, struct http_exchange *x)
{
    struct call c = {.api = a, .x = x, .res = &x->res};
    const struct route *route = x->mark;
    if (read_param(&c, route))
        route->answer(&c);
    call_give(&c);
}

void call_run(void *ctx, struct http_exchange *first)
{
    const struct route *route = first->mark;
    if (route->answer_all) {
        route->answer_all(ctx, first);
    } else {
        call_answer(ctx, first);
        http_answer(first);
    }
}

bool call_joins(const struct http_exchange *first, const struct http_exchange *second)
{
    const struct route *route = first->mark;
    return route->answer_all && second->mark == route;
}

int call_gate(struct call *c, struct err *err)
{
    return c->redis ? 0 : redis_pool_take(c->api->pool, call_deadline_ns(c), &c->redis, err);
}

void call_give(struct call *c)
{
    if (c->redis)
        redis_pool_give(c->api->pool, c->redis);
    c->redis = NULL;
}

bool call_redis(struct call *c)
{
    struct err err = {""};
    int rc = call_gate(c, &err);
    if (rc != 0)
        call_fail(c, rc, &err);
    return rc == 0;
}

/* What a failure means to a client, and whether time may heal it. */
static const struct meaning {
    int rc, status;
    const char *code;
    bool later;
} meanings[] = {
    {-ETIMEDOUT, HTTP_UNAVAILABLE, "busy", true},
    {-ENOTCONN, HTTP_UNAVAILABLE, "redis_unavailable", true},
    {-EAGAIN, HTTP_UNAVAILABLE, "redis_unavailable", true},
    {-EROFS, HTTP_UNAVAILABLE, "redis_unavailable", true},
    {-ENOSPC, HTTP_UNAVAILABLE, "redis_full", true},
    {-ECANCELED, HTTP_UNAVAILABLE, "stopping", true},
    {-ENOMEM, HTTP_UNAVAILABLE, "no_memory", true},
    {-EACCES, HTTP_UNAVAILABLE, "redis_refuses", false},
    {-EMEDIUMTYPE, HTTP_CONFLICT, "wrong_type", false},
    {-ENOENT, HTTP_NOT_FOUND, "not_found", false},
};

void call_fail(struct call *c, int rc, const struct err *err)
{
    static const struct meaning unknown = {0, HTTP_FAILED, "internal", false};
    const struct meaning *m = &unknown;
    const char *text = err->text[0] ? err->text : err_phrase(rc);
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].rc == rc)
            m = &meanings[i];
    http_fail(c->res, m->status, m->code, text);
    if (m->later)
        http_set_header(c->res, "Retry-After", "1");
    if (m == &unknown)
        log_error("a request failed", log_str("path", c->x->req.path), log_str("error", text));
}

bool call_query_text(struct call *c, const char *name, char *text, size_t size, const char **ret)
{
    const char *given = http_query(c->x, name);
    if (!given)
        return true;
    if (*given && http_decode_query(slice_of(given), text, size) == 0) {
        *ret = text;
        return true;
    }
    char message[128];
    (void)snprintf(message, sizeof message,
                   "the parameter %s must be UTF-8, percent-encoded, of 1 to %zu bytes without NUL",
                   name, size - 1); /* fits */
    http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_parameter", message, name, -1);
    return false;
}

bool call_query_time(struct call *c, const char *name, double *ret)
{
    static const char digits[] = "0123456789";
    const char *text = http_query(c->x, name);
    if (!text)
        return true;
    size_t whole = strspn(text, digits);
    size_t part = text[whole] == '.' ? strspn(text + whole + 1, digits) : 0;
    size_t n = whole + (part > 0 ? part + 1 : 0);
    if (whole > 0 && whole <= 12 && part <= 9 && text[n] == '\0') {
        *ret = strtod(text, NULL);
        return true;
    }
    char message[128];
    (void)snprintf(message, sizeof message,
                   "the parameter %s must be a time in seconds, like 1795478712.5",
                   name); /* fits */
    http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_parameter", message, name, -1);
    return false;
}

bool call_query(struct call *c, const char *name, int64_t lo, int64_t hi, int64_t *ret)
{
    const char *text = http_query(c->x, name);
    if (!text)
        return true;
    size_t n = strlen(text);
    if (n > 0 && n <= 18 && strspn(text, "0123456789") == n) {
        int64_t value = strtoll(text, NULL, 10);
        if (value >= lo && value <= hi) {
            *ret = value;
            return true;
        }
    }
    char message[128];
    (void)snprintf(message, sizeof message,
                   "the parameter %s must be a whole number from %" PRId64 " to %" PRId64, name, lo,
                   hi); /* fits */
    http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_parameter", message, name, -1);
    return false;
}
