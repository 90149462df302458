#include "worker/health.h"

#include "base/log.h"
#include "http/metrics.h"
#include "http/server.h"
#include "worker/metrics.h"
#include "worker/parts.h"

enum { CONNECTIONS_MAX = 32, TIMEOUT_S = 30, UNAVAILABLE = 503 };

static void answer_ok(struct http_response *res)
{
    buf_puts(&res->body, "{\"status\":\"ok\"}\n");
}

static void answer_livez(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)req;
    if (worker_is_alive(ctx))
        answer_ok(res);
    else
        http_fail(res, UNAVAILABLE, "stuck", "the heartbeat does not come round");
}

static void answer_readyz(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct worker *w = ctx;
    (void)req;
    if (atomic_load(&w->begun_stop))
        http_fail(res, UNAVAILABLE, "stopping", "the worker is stopping");
    else if (!worker_is_ready(w))
        http_fail(res, UNAVAILABLE, "not_leased",
                  "the lease is not held: Redis cannot be reached or is slow");
    else if (!dispatch_is_open(&w->dispatch))
        http_fail(res, UNAVAILABLE, "quiet", "no new jobs are taken");
    else
        answer_ok(res);
}

static void answer_metrics(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)req;
    res->content_type = METRICS_CONTENT_TYPE;
    worker_put_metrics(ctx, &res->body);
}

static const struct http_route routes[] = {
    {"/livez", answer_livez},
    {"/readyz", answer_readyz},
    {"/metrics", answer_metrics},
};

int health_start(struct worker *w, const char *listen, struct err *err)
{
    struct http_server_options o = {
        .listen = listen,
        .routes = routes,
        .nroutes = sizeof routes / sizeof routes[0],
        .ctx = w,
        .max_connections = CONNECTIONS_MAX,
        .timeout_s = TIMEOUT_S,
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
