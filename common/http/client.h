/*
 * An HTTP client: posts one request at a time and hands on the answer as it comes.
 *
 * A client keeps its connection (and its TLS session) for the next request, so it is made once and
 * used for many. HTTP/2 where a server offers it; certificates are always verified; redirections
 * are not followed, since a signed body must not travel where nobody sent it. A proxy is taken from
 * the environment (http_proxy, https_proxy, no_proxy), as curl does.
 *
 * The wait for an answer is one poll() over the connection and a descriptor of the caller's, so
 * that a stop takes effect at once. Rejected: curl's blocking call, which looks up only once a
 * second.
 *
 * A request that is lost with a connection that was kept, before the first byte of an answer, is
 * posted again on a new one: a server must bear to see it twice.
 *
 * Threads: a client belongs to one thread at a time; several may be used at once. A process that
 * uses them ignores SIGPIPE. Ownership: http_client_free() closes; accepts NULL.
 */
#ifndef SLUICE_HTTP_CLIENT_H
#define SLUICE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct http_client; /* opaque */

/* 0, or -EINVAL with what is wrong: it must be a whole address of http or https, without user and
 * password (they would be shown wherever the address is). */
int http_url_check(const char *url, struct err *err) warn_unused_result;

int http_client_new(struct http_client **ret) warn_unused_result; /* -ENOMEM */
void http_client_free(struct http_client *c);

struct http_head {
    int status;               /* 100..599 */
    const char *content_type; /* "" without */
    int64_t retry_after_s;    /* 0 without; a date is turned into seconds from now */
};

/* Everything is borrowed for the call. */
struct http_post {
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated */
    struct slice body;
    const char *ca_file;    /* trusted certificates, NULL = the system's */
    int connect_timeout_ms; /* > 0; for the name, the connection and TLS together */
    int wake_fd;            /* ends a wait when it is readable; -1 without */
    /* Before each wait: how long it may last in ms, or less than 0 to give up. */
    int64_t (*wait_ms)(void *ctx);
    /* Once, when the head has come; false gives up. */
    bool (*head)(void *ctx, const struct http_head *head);
    /* Any number of times after it; false gives up. */
    bool (*body_part)(void *ctx, struct slice bytes);
    void *ctx;
};

/* 0 when the answer has come whole, whatever its status. Otherwise the connection is closed:
 * -ECANCELED a callback gave up, -ENOTCONN not connected (nothing was sent), -EPROTO no trust or no
 * TLS, -ECONNRESET it broke off, -ENOMEM; err says more. */
int http_client_post(struct http_client *c, const struct http_post *post,
                     struct err *err) warn_unused_result;

#endif
