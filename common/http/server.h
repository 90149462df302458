/*
 * A small HTTP/1.1 server: exact paths, GET and HEAD, answers that are there at once.
 *
 * libmicrohttpd speaks the protocol (rejected: our own parser, which would have to earn the trust
 * that this one has; its types stay in this room). One thread of it serves all connections by
 * epoll and calls the routes, so an answer must never wait for anything.
 *
 * What a client may cost is bounded: so many connections (more wait in the kernel's backlog), a few
 * KiB for a request's line and headers, so many seconds of silence; a body is refused. Whoever is
 * slow holds up neither others nor a stop.
 *
 * Errors to clients are JSON: {"error":{"code":"not_found","message":"…"}}.
 *
 * Threads: start and stop from one thread; the routes run on the server's. Ownership: the options'
 * routes and ctx are borrowed until the stop.
 */
#ifndef SLUICE_HTTP_SERVER_H
#define SLUICE_HTTP_SERVER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define HTTP_JSON "application/json"

struct http_request {
    const char *path; /* decoded, without the query */
};

/* What a route fills in. The body is taken over; one that ran out of memory becomes a 500. */
struct http_response {
    int status;               /* 200 unless the route says otherwise */
    const char *content_type; /* a constant; HTTP_JSON unless … */
    struct buf body;
};

struct http_route {
    const char *path;
    void (*answer)(void *ctx, const struct http_request *req, struct http_response *res);
};

struct http_server_options {
    const char *listen; /* "host:port", "[address]:port" */
    const struct http_route *routes;
    int nroutes;
    void *ctx;
    unsigned max_connections;
    unsigned timeout_s; /* a connection that is silent for so long is closed */
};

struct http_server; /* opaque */

/* Serves from the return on. Fails with err as http_listen() says; -ENOMEM, -EAGAIN. */
int http_server_start(const struct http_server_options *o, struct http_server **ret,
                      struct err *err) warn_unused_result;

/* Closes all connections, whatever they are doing; after it no route runs. Accepts NULL. */
void http_server_stop(struct http_server *s);

/* True when only this machine can reach it. */
bool http_server_is_loopback(const struct http_server *s);

/* Makes the response an error in the shape above. */
void http_fail(struct http_response *res, int status, const char *code, const char *message);

#endif
