#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/certificate.h"
#include "http/listen.h"
#include "http/wire.h"

static const char *look_up(const struct http_exchange *x, enum MHD_ValueKind kind, const char *name)
{
    return MHD_lookup_connection_value(wire_of(x)->connection, kind, name);
}

const char *http_header(const struct http_exchange *x, const char *name)
{
    return look_up(x, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_exchange *x, const char *name)
{
    return look_up(x, MHD_GET_ARGUMENT_KIND, name);
}

size_t http_queries(const struct http_exchange *x)
{
    int n = MHD_get_connection_values(wire_of(x)->connection, MHD_GET_ARGUMENT_KIND, NULL, NULL);
    return n > 0 ? (size_t)n : 0;
}

/* ---- one request ---- */

static int64_t announced_body(struct MHD_Connection *c)
{
    if (MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding"))
        return -1;
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    return length ? strtoll(length, NULL, 10) : 0; /* the library has checked it */
}

static void refuse_length(struct wire *w)
{
    if (w->server->o.max_body == 0)
        http_fail(&w->x.res, HTTP_TOO_LARGE, "body_not_allowed", "a request here has no body");
    else
        http_fail(&w->x.res, HTTP_TOO_LARGE, "body_too_large",
                  "the body has more bytes than are allowed");
}

static void refuse_load(struct wire *w)
{
    http_fail(&w->x.res, HTTP_TOO_MANY, "too_many_bytes",
              "too many bytes of requests are under way: try again later");
    http_set_header(&w->x.res, "Retry-After", "1");
}

static bool hold(struct wire *w, int64_t bytes)
{
    struct http_server *s = w->server;
    if (atomic_fetch_add(&s->bodies, bytes) + bytes > s->o.max_bodies) {
        atomic_fetch_sub(&s->bodies, bytes);
        return false;
    }
    w->held += bytes;
    return true;
}

/* By the head alone: false when it is refused. */
static bool begin(struct wire *w)
{
    struct http_server *s = w->server;
    int64_t bytes = w->x.req.body_bytes;
    if (atomic_load(&s->quiet)) {
        http_fail(&w->x.res, HTTP_UNAVAILABLE, "stopping", "the process is stopping");
        return false;
    }
    if (!s->o.begin(s->o.ctx, &w->x))
        return false;
    if (bytes > s->o.max_body || (bytes != 0 && s->o.max_body == 0)) {
        refuse_length(w);
        return false;
    }
    if (bytes > 0 && !hold(w, bytes)) {
        refuse_load(w);
        return false;
    }
    return true;
}

/* A refusal in the middle of a body cannot be sent, so the rest is read and dropped; but not for
 * ever. */
static enum MHD_Result take_body(struct wire *w, const char *bytes, size_t n)
{
    int64_t max = w->server->o.max_body;
    bool chunked = w->x.req.body_bytes < 0;
    if (w->overlong || w->overload) {
        w->dropped += (int64_t)n;
        return w->dropped > max ? MHD_NO : MHD_YES;
    }
    if ((int64_t)(w->body.n + n) > max)
        w->overlong = true;
    else if (chunked && !hold(w, (int64_t)n))
        w->overload = true;
    else
        buf_append(&w->body, bytes, n);
    if (w->overlong || w->overload)
        buf_release(&w->body);
    return MHD_YES;
}

/* The whole request is there. */
static enum MHD_Result handle(struct wire *w)
{
    struct http_server *s = w->server;
    w->handed = true;
    w->x.whole_ns = clock_now_ns();
    if (w->overlong)
        refuse_length(w);
    else if (w->overload)
        refuse_load(w);
    else if (buf_error(&w->body) != 0)
        http_fail(&w->x.res, HTTP_UNAVAILABLE, "no_memory", "no memory for the request");
    else {
        w->x.req.body = buf_slice(&w->body);
        struct MHD_Connection *connection = w->connection;
        if (!s->o.handle(s->o.ctx, &w->x) && atomic_load(&w->state) != ANSWERED) {
            int running = RUNNING;
            MHD_suspend_connection(connection);
            if (!atomic_compare_exchange_strong(&w->state, &running, SUSPENDED))
                MHD_resume_connection(connection); /* answered in between */
            return MHD_YES;
        }
    }
    return wire_send_answer(w);
}

static struct wire *open_wire(struct http_server *s, struct MHD_Connection *c, const char *url,
                              const char *method)
{
    struct wire *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->server = s;
    w->connection = c;
    w->filled = SIZE_MAX; /* by what came before */
    w->x.begun_ns = clock_now_ns();
    w->x.req =
        (struct http_request){.method = method, .path = url, .body_bytes = announced_body(c)};
    w->x.res = (struct http_response){.status = HTTP_OK, .content_type = HTTP_JSON};
    mutex_lock(&s->mutex);
    s->exchanges++;
    mutex_unlock(&s->mutex);
    return w;
}

/* Called when the head has come, for each piece of a body, when it is complete, and once more when
 * a suspended connection goes on. What is refused by its head is answered at the first call, so
 * that nobody's body is read to no end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **state)
{
    struct wire *w = *state;
    (void)version; /* the library's affair */
    if (!w) {
        w = *state = open_wire(cls, c, url, method);
        if (!w)
            return MHD_NO;
        w->refused = !begin(w);
        /* Without a body it can wait for the next call, which leaves the connection open. */
        return w->refused && w->x.req.body_bytes != 0 ? wire_send_answer(w) : MHD_YES;
    }
    if (*upload_n > 0) {
        size_t n = *upload_n;
        *upload_n = 0;
        return take_body(w, upload, n);
    }
    return w->handed || w->refused ? wire_send_answer(w) : handle(w);
}

static void on_end(void *cls, struct MHD_Connection *c, void **state,
                   enum MHD_RequestTerminationCode why)
{
    struct http_server *s = cls;
    struct wire *w = *state;
    (void)c; /* in the wire */
    if (!w)
        return;
    if (s->o.ended)
        s->o.ended(s->o.ctx, &w->x, w->answer_n, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (w->x.res.source.read)
        w->x.res.source.close(w->x.res.source.ctx);
    atomic_fetch_sub(&s->bodies, w->held);
    buf_release(&w->body);
    buf_release(&w->x.res.body);
    free(w);
    *state = NULL;
    mutex_lock(&s->mutex);
    if (--s->exchanges == 0)
        cond_broadcast(&s->idle);
    mutex_unlock(&s->mutex);
}

/* ---- life ---- */

/* Paths and queries stay as they were sent. */
static size_t keep_escapes(void *cls, struct MHD_Connection *c, char *text)
{
    (void)cls, (void)c;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct http_server *s, int fd)
{
    static char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, http_certificate_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, versions},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, s->o.max_connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, s->o.timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)s->o.max_head, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_end, s},
        {MHD_OPTION_ARRAY, 0, secure + (s->o.tls ? 0 : 2)},
        {s->o.threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, s->o.threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    sigset_t all, old;
    (void)sigfillset(&all);                       /* cannot fail, nor can the masks below */
    (void)pthread_sigmask(SIG_BLOCK, &all, &old); /* its threads take no signals, as no other */
    struct MHD_Daemon *daemon =
        MHD_start_daemon(flags | (s->o.tls ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, s,
                         MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return daemon;
}

static void free_server(struct http_server *s)
{
    cond_release(&s->idle);
    mutex_release(&s->mutex);
    free(s);
}

int http_server_start(const struct http_server_options *o, struct http_server **ret,
                      struct err *err)
{
    int fd = -1;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, -ENOMEM, "no memory for the HTTP server");
    s->o = *o;
    s->listener = -1;
    s->page = (uintptr_t)sysconf(_SC_PAGESIZE);
    mutex_init(&s->mutex);
    cond_init(&s->idle);
    int rc = http_listen(o->listen, &fd, &s->loopback, err);
    if (rc == 0) {
        errno = 0;
        *ret = s; /* callbacks may ask for it from now on */
        s->daemon = start_daemon(s, fd);
        /* The socket is left open: on some of its failures the library has closed it. */
        if (!s->daemon) {
            rc = errno ? -errno : -EAGAIN;
            (void)err_set(err, rc, "%s: cannot start the HTTP server: %s", o->listen,
                          strerror(-rc));
        }
    }
    if (rc != 0) {
        free_server(s);
        *ret = NULL;
    }
    return rc;
}

void http_server_quiesce(struct http_server *s)
{
    if (atomic_exchange(&s->quiet, true))
        return;
    s->listener = MHD_quiesce_daemon(s->daemon);
    /* Whoever connects is refused from now on; but the library's threads may be using the number,
     * so it must not become another's. */
    if (s->listener >= 0)
        (void)shutdown(s->listener, SHUT_RDWR); /* it was listening */
}

bool http_server_wait_idle(struct http_server *s, int64_t deadline_ns)
{
    bool in_time = true;
    mutex_lock(&s->mutex);
    while (s->exchanges > 0 && in_time)
        in_time = cond_wait_until(&s->idle, &s->mutex, deadline_ns);
    bool idle = s->exchanges == 0;
    mutex_unlock(&s->mutex);
    return idle;
}

int http_server_exchanges(struct http_server *s)
{
    mutex_lock(&s->mutex);
    int n = s->exchanges;
    mutex_unlock(&s->mutex);
    return n;
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    if (s->listener >= 0)
        (void)close(s->listener); /* nothing was written */
    free_server(s);
}

bool http_server_is_loopback(const struct http_server *s)
{
    return s->loopback;
}
