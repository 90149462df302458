#include "worker/health.h"

#include "base/log.h"
#include "http/metrics.h"
#include "http/server.h"
#include "worker/metrics.h"
#include "worker/parts.h"

enum { CONNECTIONS_MAX = 32, TIMEOUT_S = 30, HEAD_BYTES = 8192 };

static void answer_ok(struct http_response *res)
{
    buf_puts(&res->body, "{\"status\":\"ok\"}\n");
}

static void answer_livez(void *ctx, struct http_response *res)
{
    if (worker_is_alive(ctx))
        answer_ok(res);
    else
        http_fail(res, HTTP_UNAVAILABLE, "stuck", "the heartbeat does not come round");
}

static void answer_readyz(void *ctx, struct http_response *res)
{
    struct worker *w = ctx;
    if (atomic_load(&w->begun_stop))
        http_fail(res, HTTP_UNAVAILABLE, "stopping", "the worker is stopping");
    else if (!worker_is_ready(w))
        http_fail(res, HTTP_UNAVAILABLE, "not_leased",
                  "the lease is not held: Redis cannot be reached or is slow");
    else if (!dispatch_is_open(&w->dispatch))
        http_fail(res, HTTP_UNAVAILABLE, "quiet", "no new jobs are taken");
    else
        answer_ok(res);
}

static void answer_metrics(void *ctx, struct http_response *res)
{
    res->content_type = METRICS_CONTENT_TYPE;
    worker_put_metrics(ctx, &res->body);
}

static const struct route {
    const char *path;
    void (*answer)(void *ctx, struct http_response *res);
} routes[] = {
    {"/livez", answer_livez},
    {"/readyz", answer_readyz},
    {"/metrics", answer_metrics},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

static bool begin(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    if (!find_route(x->req.path)) {
        http_fail(&x->res, HTTP_NOT_FOUND, "not_found", "nothing is served at this path");
        return false;
    }
    if (strcmp(x->req.method, "GET") != 0 && strcmp(x->req.method, "HEAD") != 0) {
        http_fail(&x->res, HTTP_METHOD_NOT_ALLOWED, "method_not_allowed",
                  "only GET and HEAD are served here");
        http_set_header(&x->res, "Allow", "GET, HEAD");
        return false;
    }
    return true;
}

static bool handle(void *ctx, struct http_exchange *x)
{
    find_route(x->req.path)->answer(ctx, &x->res);
    return true;
}

int health_start(struct worker *w, const char *listen, struct err *err)
{
    struct http_server_options o = {
        .listen = listen,
        .ctx = w,
        .begin = begin,
        .handle = handle,
        .threads = 1,
        .max_connections = CONNECTIONS_MAX,
        .timeout_s = TIMEOUT_S,
        .max_head = HEAD_BYTES,
    };
    if (!listen)
        return 0;
    struct err why = {""};
    int rc = http_server_start(&o, &w->http, &why);
    if (rc == -EADDRINUSE)
        return err_set(err, rc,
                       "%s; each worker of a host needs an address of its own, or off "
                       "(SLUICE_METRICS_LISTEN)",
                       why.text);
    if (rc != 0)
        return err_set(err, rc, "%s (SLUICE_METRICS_LISTEN)", why.text);
    log_info("serving /metrics, /livez and /readyz", log_str("listen", listen));
    if (!http_server_is_loopback(w->http))
        log_warn("other machines may read /metrics: there is no token and no encryption",
                 log_str("listen", listen));
    return 0;
}

void health_stop(struct worker *w)
{
    http_server_stop(w->http);
    w->http = NULL;
}
