/*
 * A small HTTP/1.1 server: the worker's figures and the API stand on it.
 *
 * libmicrohttpd speaks the protocol (rejected: our own parser, which would have to earn the trust
 * that this one has; its types stay in this room). One or a few threads of it serve all
 * connections by epoll, so nothing that runs on them may wait for anything.
 *
 * Model. A request is an exchange. `begin` judges it by its head and may answer at once; then the
 * body is not read. `handle` gets it whole and answers, or lets somebody else do so later, on any
 * thread: until then the connection is suspended and costs no thread. `ended` tells what came of
 * it. Each exchange that was begun ends once, also when its client is gone.
 *
 * What clients may cost is bounded: so many connections (more wait in the kernel's backlog), so
 * many bytes of a request's line and headers, of a body, and of all bodies that are held at once,
 * so many seconds of silence. Whoever is slow holds up neither others nor a stop.
 *
 * An answer may come from a source, piece by piece: while that has nothing, the connection is
 * suspended as well, costs a few KiB however large max_head is, and its client's absence shows with
 * the next piece only.
 *
 * A head that is too large (431, or 414 where the line alone is) or no proper HTTP (400, 505) never
 * becomes an exchange: the library answers it itself, in HTML and without a way to have that
 * replaced (neither in 0.9.75 nor in 1.0.1), and closes the connection. Nothing is logged of it.
 *
 * Stopping: quiesce, wait until idle as long as one likes, see to it that every exchange that was
 * handed out is answered and every source has come to its end, stop.
 *
 * Threads: start to stop from one thread; callbacks run on the server's; http_answer() on any, once
 * for each exchange that `handle` did not answer. Ownership: ctx and what the options point to are
 * borrowed until the stop; an exchange belongs to whoever has to answer it, then to the server.
 */
#ifndef SLUICE_HTTP_SERVER_H
#define SLUICE_HTTP_SERVER_H

#include "base/err.h"
#include "http/message.h"

struct http_exchange {
    struct http_request req;
    struct http_response res;
    int64_t begun_ns;           /* monotonic, as is the next: its head has come */
    int64_t whole_ns;           /* its body, too */
    void *mark;                 /* of the callbacks */
    struct http_exchange *next; /* of who has to answer it */
};

/* A header or a parameter of the query, as it was sent; NULL without. Until it is answered. */
const char *http_header(const struct http_exchange *x, const char *name);
const char *http_query(const struct http_exchange *x, const char *name);
size_t http_queries(const struct http_exchange *x); /* how many parameters the query has */

struct http_server_options {
    const char *listen; /* "host:port", "[address]:port" */
    void *ctx;
    /* True to go on; false when x->res is the answer. */
    bool (*begin)(void *ctx, struct http_exchange *x);
    /* True when x->res is the answer; false when http_answer() says so, before or after. */
    bool (*handle)(void *ctx, struct http_exchange *x);
    /* bytes: of the answer's body. May be NULL. */
    void (*ended)(void *ctx, const struct http_exchange *x, size_t bytes, bool sent);
    bool tls;         /* with the certificate of http/certificate.h, which is loaded */
    unsigned threads; /* >= 1 */
    unsigned max_connections;
    unsigned timeout_s; /* a connection that is silent for so long is closed */
    size_t max_head;    /* bytes of a connection's memory: line and headers */
    int64_t max_body;   /* bytes; 0: none is accepted */
    int64_t max_bodies; /* bytes of all that are held */
};

struct http_server; /* opaque */

/* Serves from the return on; *ret is set before the first callback, and NULL on failure. Fails with
 * err as http_listen() says; -ENOMEM, -EAGAIN. */
int http_server_start(const struct http_server_options *o, struct http_server **ret,
                      struct err *err) warn_unused_result;

/* x->res is filled in; x is the server's again. */
void http_answer(struct http_exchange *x);

/* The exchange's source has something again, or its end. Until its close(), from any thread. */
void http_wake(struct http_exchange *x);

/* No new connections; later requests on old ones are told 503. */
void http_server_quiesce(struct http_server *s);
/* False when the monotonic deadline has passed and exchanges are still under way. */
bool http_server_wait_idle(struct http_server *s, int64_t deadline_ns);
int http_server_exchanges(struct http_server *s); /* under way now */

/* Closes all connections, whatever they are doing; after it no callback runs. No exchange may be
 * waiting for its answer. Accepts NULL. */
void http_server_stop(struct http_server *s);

/* True when only this machine can reach it. */
bool http_server_is_loopback(const struct http_server *s);

#endif
