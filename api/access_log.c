#include "api/access_log.h"

#include "api/parts.h"
#include "base/clock.h"
#include "base/log.h"

void access_log_ended(void *ctx, const struct http_exchange *x, size_t bytes, bool sent)
{
    struct api *a = ctx;
    int64_t ns = clock_now_ns() - x->begun_ns;
    int class = x->res.status / 100;
    if (!sent || class >= TRAFFIC_CLASSES)
        class = 0;
    histogram_add_ns(&a->traffic.duration[class], ns);
    log_info(sent ? "request" : "request, broken off by its client",
             log_str("method", x->req.method), log_str("path", x->req.path),
             log_int("status", x->res.status), log_real("ms", (double)(ns / 1000) / 1000),
             log_int("bytes", (int64_t)bytes));
}
