/*
 * One request on its way to its answer: what the routes work with.
 *
 * A route fills in c->x->res. When it needs Redis it calls call_redis(), which passes the gate; the
 * permit and the connection are given back when the route returns. A failure of the store becomes
 * an answer by call_fail(): what time may heal is 503 with Retry-After.
 *
 * Threads: a call belongs to one. Ownership: everything is borrowed for the call.
 */
#ifndef SLUICE_API_CALL_H
#define SLUICE_API_CALL_H

#include "base/err.h"
#include "http/server.h"
#include "redis/conn.h"

#define CALL_NDJSON "application/x-ndjson"

enum { CALL_PARAM_MAX = 512 };

struct api;

struct call {
    struct api *api;
    struct http_exchange *x;
    struct http_response *res;  /* x's */
    char param[CALL_PARAM_MAX]; /* of the path, decoded; "" without */
    struct redis_conn *redis;   /* after call_redis() */
};

/* Answers a request by its route, on this thread, and leaves the sending to the caller. */
void call_answer(struct api *a, struct http_exchange *x);
/* For the crew (api/crew.h); ctx is a struct api. */
void call_run(void *ctx, struct http_exchange *first);
bool call_joins(const struct http_exchange *first, const struct http_exchange *second);

/* Passes the gate, in time: see redis/pool.h. */
int call_gate(struct call *c, struct err *err) warn_unused_result;
/* The same; false when the answer is that it could not be passed. */
bool call_redis(struct call *c) warn_unused_result;

/* Gives back the permit and the connection, when it has them. */
void call_give(struct call *c);

/* Until when it may wait, monotonic. */
int64_t call_deadline_ns(const struct call *c);

/* The answer to a failure of the store. */
void call_fail(struct call *c, int rc, const struct err *err);

/* A query parameter lo..hi; *ret keeps its value when it is not there. False when the answer is
 * that it is none. */
bool call_query(struct call *c, const char *name, int64_t lo, int64_t hi,
                int64_t *ret) warn_unused_result;
/* A text, decoded into `text`; *ret is that, or keeps its value. It is not empty. */
bool call_query_text(struct call *c, const char *name, char *text, size_t size,
                     const char **ret) warn_unused_result;
/* The same of a time in seconds, as our answers have them. */
bool call_query_time(struct call *c, const char *name, double *ret) warn_unused_result;

#endif
