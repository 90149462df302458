/*
 * A load generator: clients that keep their connections, each of which sends the same POST again as
 * soon as it has the answer to the last one. One thread, epoll, nothing but sockets, so that it
 * takes little of the machine from whom it asks.
 *
 * Every request that was sent is answered before it returns; an answer other than 202, or a
 * connection that breaks, ends the bench.
 */
#ifndef SLUICE_BENCH_HTTP_LOAD_H
#define SLUICE_BENCH_HTTP_LOAD_H

#include <stdint.h>

#include "base/buf.h"

struct http_load {
    int port;
    int clients;
    double seconds;
    struct slice request; /* head and body */
};

struct http_load_result {
    int64_t answers;
    double per_s;
    double p50_us, p99_us; /* from a request's first byte to its answer's last */
};

/* "POST path" with this body. */
void http_load_request(struct buf *out, const char *path, struct slice body);
struct http_load_result http_load_run(const struct http_load *load);

#endif
