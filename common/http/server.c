#include "http/server.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "http/listen.h"

struct http_server {
    struct http_server_options o;
    struct MHD_Daemon *daemon;
    bool loopback;
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

enum { PIECE_BYTES = 4096 };

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
};

static struct wire *wire_of(const struct http_exchange *x)
{
    return (struct wire *)(void *)x;
}

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

/* ---- the answer ---- */

static ssize_t read_source(void *cls, uint64_t at, char *to, size_t n)
{
    struct wire *w = cls;
    const struct http_source *source = &w->x.res.source;
    (void)at; /* it has no other order */
    atomic_store(&w->flow, FLOWING);
    ssize_t got = source->read(source->ctx, to, n);
    if (got < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    w->answer_n += (size_t)got;
    if (got == 0) {
        struct MHD_Connection *connection = w->connection;
        int flowing = FLOWING;
        MHD_suspend_connection(connection);
        if (!atomic_compare_exchange_strong(&w->flow, &flowing, DRY))
            MHD_resume_connection(connection); /* woken in between */
        /* else w may be gone: whoever wakes it has a thread of its own */
    }
    return got;
}

void http_wake(struct http_exchange *x)
{
    struct wire *w = wire_of(x);
    if (atomic_exchange(&w->flow, WOKEN) == DRY)
        MHD_resume_connection(w->connection);
}

/* Wraps the body; the library frees it when it has been sent. */
static struct MHD_Response *wrap(struct wire *w)
{
    static char no_memory[] =
        "{\"error\":{\"code\":\"no_memory\",\"message\":\"no memory for the answer\"}}\n";
    static char nothing[] = "";
    struct http_response *res = &w->x.res;
    if (res->source.read)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_source, w,
                                                 NULL);
    bool failed = buf_error(&res->body) != 0;
    char *body = failed || res->body.n == 0 ? NULL : buf_steal(&res->body, &w->answer_n);
    if (body) {
        struct MHD_Response *r =
            MHD_create_response_from_buffer(w->answer_n, body, MHD_RESPMEM_MUST_FREE);
        if (!r)
            free(body);
        return r;
    }
    if (failed) {
        res->status = HTTP_FAILED;
        res->content_type = HTTP_JSON;
    }
    buf_release(&res->body);
    char *text = failed ? no_memory : nothing;
    w->answer_n = strlen(text);
    return MHD_create_response_from_buffer(w->answer_n, text, MHD_RESPMEM_PERSISTENT);
}

/* MHD_NO closes the connection, which is all that is left without memory. */
static enum MHD_Result send_answer(struct wire *w)
{
    struct http_response *res = &w->x.res;
    struct MHD_Response *r = wrap(w);
    if (!r)
        return MHD_NO;
    enum MHD_Result ok = MHD_YES;
    if (res->status != HTTP_NO_CONTENT && res->status != HTTP_NOT_MODIFIED)
        ok = MHD_add_response_header(r, "Content-Type", res->content_type);
    if (ok == MHD_YES)
        ok = MHD_add_response_header(r, "Cache-Control",
                                     res->cache_control ? res->cache_control : "no-store");
    for (int i = 0; ok == MHD_YES && i < res->nheaders; i++)
        ok = MHD_add_response_header(r, res->header[i].name, res->header[i].value);
    if (ok == MHD_YES && atomic_load(&w->server->quiet))
        ok = MHD_add_response_header(r, "Connection", "close");
    if (ok == MHD_YES)
        ok = MHD_queue_response(w->connection, (unsigned)res->status, r);
    MHD_destroy_response(r);
    return ok;
}

void http_answer(struct http_exchange *x)
{
    struct wire *w = wire_of(x);
    struct MHD_Connection *connection = w->connection;
    /* Unless it is suspended, the thread that runs it sees the answer, and may free x at once. */
    if (atomic_exchange(&w->state, ANSWERED) == SUSPENDED)
        MHD_resume_connection(connection);
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
    return send_answer(w);
}

static struct wire *open_wire(struct http_server *s, struct MHD_Connection *c, const char *url,
                              const char *method)
{
    struct wire *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->server = s;
    w->connection = c;
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
        return w->refused && w->x.req.body_bytes != 0 ? send_answer(w) : MHD_YES;
    }
    if (*upload_n > 0) {
        size_t n = *upload_n;
        *upload_n = 0;
        return take_body(w, upload, n);
    }
    return w->handed || w->refused ? send_answer(w) : handle(w);
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
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, s->o.max_connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, s->o.timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)s->o.max_head, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_end, s},
        {s->o.threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, s->o.threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    sigset_t all, old;
    (void)sigfillset(&all);                       /* cannot fail, nor can the masks below */
    (void)pthread_sigmask(SIG_BLOCK, &all, &old); /* its threads take no signals, as no other */
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                         on_request, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
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
    int fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0)
        (void)close(fd); /* nothing was written */
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
    free_server(s);
}

bool http_server_is_loopback(const struct http_server *s)
{
    return s->loopback;
}
