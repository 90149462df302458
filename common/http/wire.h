/*
 * What a server and its exchanges are made of: for http/server.c, which reads requests and knows
 * when they end, and http/answer.c, which sends answers.
 */
#ifndef SLUICE_HTTP_WIRE_H
#define SLUICE_HTTP_WIRE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "http/server.h"

struct http_server {
    struct http_server_options o;
    struct MHD_Daemon *daemon;
    bool loopback;
    int listener;               /* once it listens no more; else -1 */
    uintptr_t page;             /* bytes of one */
    atomic_bool quiet;          /* no new requests */
    atomic_int_fast64_t bodies; /* bytes of bodies held now */

    struct mutex mutex; /* guards: exchanges */
    struct cond idle;
    int exchanges;
};

/* Who is to send the answer. RUNNING: it is not there yet, and the connection is not suspended. */
enum { RUNNING, SUSPENDED, ANSWERED };

/* A source: DRY while it has nothing and the connection is suspended. */
enum { FLOWING, DRY, WOKEN };

struct wire {
    struct http_exchange x; /* first: the same address */
    struct http_server *server;
    struct MHD_Connection *connection;
    struct buf body;
    int64_t held;            /* of server->bodies */
    size_t answer_n;         /* bytes of the answer's body */
    int64_t dropped;         /* bytes of a body that is refused */
    bool refused;            /* by its head: the body is not read */
    bool overlong, overload; /* the body is dropped as it comes, and refused at its end */
    bool handed;             /* handle() has been called */
    atomic_int state;
    atomic_int flow;
    size_t filled; /* the most bytes at once of the source since its room was given back */
};

static inline struct wire *wire_of(const struct http_exchange *x)
{
    return (struct wire *)(void *)x;
}

/* MHD_NO closes the connection, which is all that is left without memory. */
enum MHD_Result wire_send_answer(struct wire *w);

#endif
