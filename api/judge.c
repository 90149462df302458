#include "api/judge.h"

#include <stdio.h>
#include <strings.h>

#include "api/parts.h"
#include "api/routes.h"
#include "http/origin.h"
#include "http/path.h"

/* The methods of a path: "GET, HEAD, OPTIONS". */
static void allow(struct http_exchange *x)
{
    char text[HTTP_HEADER_VALUE_MAX];
    int n = 0;
    for (const struct route *r = routes; r < routes + nroutes; r++)
        if (http_path_match(r->path, x->req.path, NULL))
            n += snprintf(text + n, sizeof text - (size_t)n, "%s, %s", r->method,
                          strcmp(r->method, "GET") == 0 ? "HEAD, " : "");
    (void)snprintf(text + n, sizeof text - (size_t)n, "OPTIONS"); /* all of them fit */
    http_set_header(&x->res, "Allow", text);
}

static bool reads_only(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "OPTIONS") == 0;
}

/* False, and refused, when it comes from a page that we have not served. Without a Host header it
 * comes from no browser. */
static bool judge_source(struct api *a, struct http_exchange *x)
{
    const char *host = http_header(x, "Host");
    if (!auth_required(&a->auth) && host && !http_host_is_local(host, a->conf->api_listen)) {
        http_fail(&x->res, HTTP_FORBIDDEN, "unknown_host",
                  "without a token the header Host must be localhost, a loopback address or the "
                  "host of api.listen");
        return false;
    }
    if (!reads_only(x->req.method) &&
        http_is_cross_origin(host, http_header(x, "Origin"), http_header(x, "Sec-Fetch-Site"))) {
        http_fail(&x->res, HTTP_FORBIDDEN, "cross_origin",
                  "pages of other origins may not do this: the header Origin must be that of Host");
        return false;
    }
    return true;
}

static void refuse_stranger(struct http_exchange *x, const struct route *path)
{
    http_fail(&x->res, HTTP_UNAUTHORIZED, "unauthorized",
              http_header(x, "Authorization")
                  ? "the token is not known"
                  : "a token is required: the header Authorization: Bearer TOKEN, or Basic with it "
                    "as the password");
    http_set_header(&x->res, "WWW-Authenticate", "Bearer");
    if (path && path->page)
        http_set_header(&x->res, "WWW-Authenticate", "Basic realm=\"sluice\"");
}

/* "application/json; charset=utf-8" is application/json. */
static bool type_is(const char *header, const char *type)
{
    size_t n = strlen(type);
    return header && strncasecmp(header, type, n) == 0 && strchr("; \t", header[n]);
}

static bool judge_body(struct http_exchange *x, const struct route *route)
{
    if (!route->takes_jobs) {
        if (x->req.body_bytes == 0)
            return true;
        http_fail(&x->res, HTTP_TOO_LARGE, "body_not_allowed", "a request here has no body");
        return false;
    }
    const char *type = http_header(x, "Content-Type");
    if (type_is(type, HTTP_JSON) || type_is(type, CALL_NDJSON))
        return true;
    http_fail(&x->res, HTTP_UNSUPPORTED_TYPE, "unsupported_type",
              "the Content-Type must be application/json (one job, or an array of jobs) or "
              "application/x-ndjson (a job a line)");
    return false;
}

bool judge_begin(void *ctx, struct http_exchange *x)
{
    struct api *a = ctx;
    const struct route *path = NULL;
    const struct route *route = route_find(routes, nroutes, x->req.method, x->req.path, &path);
    enum rights rights = RIGHTS_NONE;
    if (!judge_source(a, x))
        return false;
    if (!path || path->rights != RIGHTS_NONE) {
        rights = auth_rights(&a->auth, http_header(x, "Authorization"));
        if (rights == RIGHTS_NONE) {
            refuse_stranger(x, path);
            return false;
        }
    }
    if (rights == RIGHTS_READ) /* so that a page need not offer what would be refused */
        http_set_header(&x->res, "Sluice-Rights", "read");
    if (!path) {
        http_fail(&x->res, HTTP_NOT_FOUND, "not_found", "nothing is served at this path");
        return false;
    }
    if (!route) {
        if (strcmp(x->req.method, "OPTIONS") == 0)
            x->res.status = HTTP_NO_CONTENT;
        else
            http_fail(&x->res, HTTP_METHOD_NOT_ALLOWED, "method_not_allowed",
                      "this method is not served at this path; the header Allow names those that "
                      "are");
        allow(x);
        return false;
    }
    if (rights < route->rights) {
        http_fail(&x->res, HTTP_FORBIDDEN, "forbidden", "this token may only read");
        return false;
    }
    x->mark = (void *)(uintptr_t)route; /* constant, and read only */
    return judge_body(x, route);
}

bool judge_handle(void *ctx, struct http_exchange *x)
{
    struct api *a = ctx;
    const struct route *route = x->mark;
    if (route->at_once) {
        call_answer(a, x);
        return true;
    }
    if (crew_submit(&a->crew, x))
        return false;
    http_fail(&x->res, HTTP_UNAVAILABLE, "stopping", "the process is stopping");
    return true;
}
