#include "http/server.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "http/listen.h"

enum { REQUEST_BYTES = 8192 }; /* line and headers */

enum status { OK = 200, NOT_FOUND = 404, METHOD_NOT_ALLOWED = 405, TOO_LARGE = 413, FAILED = 500 };

struct http_server {
    struct http_server_options o;
    struct MHD_Daemon *daemon;
    bool loopback;
};

void http_fail(struct http_response *res, int status, const char *code, const char *message)
{
    res->status = status;
    res->content_type = HTTP_JSON;
    buf_clear(&res->body);
    buf_puts(&res->body, "{\"error\":{\"code\":");
    json_put_string(&res->body, slice_of(code), SIZE_MAX);
    buf_puts(&res->body, ",\"message\":");
    json_put_string(&res->body, slice_of(message), SIZE_MAX);
    buf_puts(&res->body, "}}\n");
}

/* ---- one request ---- */

static const struct http_route *find_route(const struct http_server *s, const char *path)
{
    for (int i = 0; i < s->o.nroutes; i++)
        if (strcmp(s->o.routes[i].path, path) == 0)
            return &s->o.routes[i];
    return NULL;
}

static bool has_body(struct MHD_Connection *c)
{
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* Wraps the body; the library frees it when it has been sent. */
static struct MHD_Response *wrap(struct http_response *res)
{
    static char no_memory[] =
        "{\"error\":{\"code\":\"no_memory\",\"message\":\"no memory for the answer\"}}\n";
    static char nothing[] = "";
    size_t n = 0;
    bool failed = buf_error(&res->body) != 0;
    char *body = failed || res->body.n == 0 ? NULL : buf_steal(&res->body, &n);
    if (body) {
        struct MHD_Response *r = MHD_create_response_from_buffer(n, body, MHD_RESPMEM_MUST_FREE);
        if (!r)
            free(body);
        return r;
    }
    if (failed) {
        res->status = FAILED;
        res->content_type = HTTP_JSON;
    }
    buf_release(&res->body);
    char *text = failed ? no_memory : nothing;
    return MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_PERSISTENT);
}

/* Consumes res. MHD_NO closes the connection, which is all that is left without memory. */
static enum MHD_Result reply(struct MHD_Connection *c, struct http_response *res)
{
    struct MHD_Response *r = wrap(res);
    if (!r)
        return MHD_NO;
    enum MHD_Result ok = MHD_add_response_header(r, "Content-Type", res->content_type);
    if (ok == MHD_YES) /* an answer is of its moment */
        ok = MHD_add_response_header(r, "Cache-Control", "no-store");
    if (ok == MHD_YES && res->status == METHOD_NOT_ALLOWED)
        ok = MHD_add_response_header(r, "Allow", "GET, HEAD");
    if (ok == MHD_YES)
        ok = MHD_queue_response(c, (unsigned)res->status, r);
    MHD_destroy_response(r);
    return ok;
}

/* Called when the headers have come, and again when the request is complete. What is refused is
 * answered at the first call, so that nobody's body is read to no end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **state)
{
    static char complete; /* its address marks the second call */
    const struct http_server *s = cls;
    const struct http_route *route = find_route(s, url);
    struct http_response res = {.status = OK, .content_type = HTTP_JSON};
    (void)version, (void)upload, (void)upload_n; /* only that of a body, which was refused */

    if (!route)
        http_fail(&res, NOT_FOUND, "not_found", "nothing is served at this path");
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        http_fail(&res, METHOD_NOT_ALLOWED, "method_not_allowed",
                  "only GET and HEAD are served here");
    else if (has_body(c))
        http_fail(&res, TOO_LARGE, "body_not_allowed", "a request here has no body");
    else if (*state != &complete) {
        *state = &complete;
        return MHD_YES;
    } else {
        route->answer(s->o.ctx, &(struct http_request){.path = url}, &res);
    }
    return reply(c, &res);
}

/* ---- life ---- */

static struct MHD_Daemon *start_daemon(struct http_server *s, int fd)
{
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, s->o.max_connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, s->o.timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_BYTES, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    sigset_t all, old;
    (void)sigfillset(&all);                       /* cannot fail, nor can the masks below */
    (void)pthread_sigmask(SIG_BLOCK, &all, &old); /* its thread takes no signals, as no other */
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, s,
                         MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return daemon;
}

int http_server_start(const struct http_server_options *o, struct http_server **ret,
                      struct err *err)
{
    int fd = -1;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, -ENOMEM, "no memory for the HTTP server");
    s->o = *o;
    int rc = http_listen(o->listen, &fd, &s->loopback, err);
    if (rc == 0) {
        errno = 0;
        s->daemon = start_daemon(s, fd);
        /* The socket is left open: on some of its failures the library has closed it. */
        if (!s->daemon) {
            rc = errno ? -errno : -EAGAIN;
            (void)err_set(err, rc, "%s: cannot start the HTTP server: %s", o->listen,
                          strerror(-rc));
        }
    }
    if (rc != 0) {
        free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}

bool http_server_is_loopback(const struct http_server *s)
{
    return s->loopback;
}
