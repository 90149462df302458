/*
 * A request and its answer, as the server hands them to whoever serves.
 *
 * The path is as it was sent, still percent-encoded: a parameter with an encoded slash or NUL in it
 * must not be torn apart or cut, so each is decoded by itself (http/path.h).
 *
 * Errors to clients are JSON: {"error":{"code":"not_found","message":"…"}}, and for bad input also
 * "field" and, of many, "index".
 *
 * Threads: none; an answer belongs to whoever fills it in.
 */
#ifndef SLUICE_HTTP_MESSAGE_H
#define SLUICE_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

#define HTTP_JSON "application/json"

enum http_status {
    HTTP_OK = 200,
    HTTP_ACCEPTED = 202,
    HTTP_NO_CONTENT = 204,
    HTTP_NOT_MODIFIED = 304,
    HTTP_BAD_REQUEST = 400,
    HTTP_UNAUTHORIZED = 401,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_CONFLICT = 409,
    HTTP_TOO_LARGE = 413,
    HTTP_UNSUPPORTED_TYPE = 415,
    HTTP_UNPROCESSABLE = 422,
    HTTP_TOO_MANY = 429,
    HTTP_FAILED = 500,
    HTTP_UNAVAILABLE = 503,
};

struct http_request {
    const char *method;
    const char *path;   /* "/…", percent-encoded, without the query */
    int64_t body_bytes; /* as announced: 0 without a body, -1 of a length that is not known */
    struct slice body;  /* once it is there */
};

enum { HTTP_HEADERS_MAX = 6, HTTP_HEADER_VALUE_MAX = 64 };

/* A body that comes in pieces, for as long as it lasts. */
struct http_source {
    /* Copies up to n bytes of what there is now and returns how many. 0: there is nothing, and
     * http_wake() will say when to ask again. -1: that was all. On the server's threads. */
    ssize_t (*read)(void *ctx, char *to, size_t n);
    /* Once, also when the client is gone: no read follows, and nobody may wake it any more. */
    void (*close)(void *ctx);
    void *ctx;
};

/* The body is taken over; one that ran out of memory becomes a 500. */
struct http_response {
    int status;                /* 200 unless it is said otherwise */
    const char *content_type;  /* a constant; HTTP_JSON unless … */
    const char *cache_control; /* a constant; NULL: no-store, as an answer is of its moment */
    struct buf body;
    struct http_source source; /* in place of the body when it has a read() */
    struct {
        const char *name; /* a constant */
        char value[HTTP_HEADER_VALUE_MAX];
    } header[HTTP_HEADERS_MAX];
    int nheaders;
};

/* Adds a header of our own making; the value is cut to fit. */
void http_set_header(struct http_response *res, const char *name, const char *value);

/* Makes the response an error in the shape above. */
void http_fail(struct http_response *res, int status, const char *code, const char *message);
/* field may be NULL; index < 0: none. */
void http_fail_at(struct http_response *res, int status, const char *code, const char *message,
                  const char *field, int64_t index);

#endif
