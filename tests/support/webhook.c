#include "support/webhook.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/support.h"
#include "support/wait_fd.h"

/* A client: its end of TLS, or a bare socket. */
struct caller {
    int fd;
    struct tls_end *tls;
};

static ssize_t receive(const struct webhook *w, const struct caller *c, void *bytes, size_t n)
{
    bool waiting = c->tls && tls_end_has_more(c->tls);
    if (!waiting && !wait_readable(c->fd, w->stop[0]))
        return -1;
    return c->tls ? tls_end_read(c->tls, bytes, n) : recv(c->fd, bytes, n, 0);
}

static ssize_t say(const struct caller *c, const void *bytes, size_t n)
{
    return c->tls ? tls_end_write(c->tls, bytes, n) : send(c->fd, bytes, n, MSG_NOSIGNAL);
}

static bool is_whole(struct buf *request)
{
    const char *text = buf_str(request), *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\ncontent-length:");
    if (!end)
        return false;
    size_t body =
        length && length < end ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
    return request->n >= (size_t)(end - text) + 4 + body;
}

static bool read_request(const struct webhook *w, const struct caller *c, struct buf *ret)
{
    char bytes[65536];
    ssize_t n;
    buf_clear(ret);
    while (!is_whole(ret)) {
        if ((n = receive(w, c, bytes, sizeof bytes)) <= 0)
            return false;
        buf_put(ret, (struct slice){bytes, (size_t)n});
    }
    return true;
}

/* False when the connection is over. */
static bool serve_one(struct webhook *w, const struct caller *c)
{
    struct buf request = {0}, answer = {0};
    bool whole = read_request(w, c, &request), cut = false;
    if (whole) {
        mutex_lock(&w->mutex);
        buf_put(&answer, buf_slice(&w->answer));
        cut = w->cut;
        buf_clear(&w->request);
        buf_put(&w->request, buf_slice(&request));
        w->requests++;
        mutex_unlock(&w->mutex);
    }
    size_t sent = 0;
    ssize_t n;
    while (sent < answer.n && (n = say(c, answer.p + sent, answer.n - sent)) > 0)
        sent += (size_t)n;
    buf_release(&request);
    buf_release(&answer);
    return whole && !cut;
}

static void *serve(void *arg)
{
    struct webhook *w = arg;
    while (wait_readable(w->listener, w->stop[0])) {
        int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        mutex_lock(&w->mutex);
        w->connections++;
        mutex_unlock(&w->mutex);
        struct caller c = {.fd = fd, .tls = w->tls ? tls_end_open(w->tls, fd) : NULL};
        while ((!w->tls || c.tls) && serve_one(w, &c))
            ;
        tls_end_free(c.tls);
        (void)close(fd);
    }
    return NULL;
}

static void start(struct webhook *w, const char *scheme_and_host, struct tls_server *tls)
{
    *w = (struct webhook){.tls = tls};
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof addr;
    mutex_init(&w->mutex);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(w->listener, 0);
    ck_assert_int_eq(bind(w->listener, (struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(listen(w->listener, 64), 0);
    ck_assert_int_eq(getsockname(w->listener, (struct sockaddr *)&addr, &n), 0);
    ck_assert_int_eq(pipe2(w->stop, O_CLOEXEC), 0);
    w->port = ntohs(addr.sin_port);
    (void)snprintf(w->url, sizeof w->url, "%s:%d/jobs", scheme_and_host, w->port);
    ck_assert_int_eq(thread_start(&w->thread, "webhook", serve, w), 0);
}

void webhook_start(struct webhook *w)
{
    start(w, "http://127.0.0.1", NULL);
}

void webhook_start_tls(struct webhook *w, const char *cert_file, const char *key_file)
{
    start(w, "https://localhost", tls_server_new(cert_file, key_file));
}

void webhook_stop(struct webhook *w)
{
    (void)close(w->stop[1]); /* readable for poll() from now on */
    thread_join(&w->thread);
    (void)close(w->stop[0]);
    (void)close(w->listener);
    buf_release(&w->answer);
    buf_release(&w->request);
    mutex_release(&w->mutex);
    tls_server_free(w->tls);
}

static void set_answer(struct webhook *w, const char *text, bool cut)
{
    mutex_lock(&w->mutex);
    buf_clear(&w->answer);
    buf_puts(&w->answer, text);
    w->cut = cut;
    mutex_unlock(&w->mutex);
}

void webhook_answers(struct webhook *w, const char *text)
{
    set_answer(w, text, false);
}

void webhook_cuts_after(struct webhook *w, const char *text)
{
    set_answer(w, text, true);
}

int webhook_requests(struct webhook *w)
{
    mutex_lock(&w->mutex);
    int n = w->requests;
    mutex_unlock(&w->mutex);
    return n;
}

int webhook_connections(struct webhook *w)
{
    mutex_lock(&w->mutex);
    int n = w->connections;
    mutex_unlock(&w->mutex);
    return n;
}

struct buf webhook_request(struct webhook *w)
{
    struct buf copy = {0};
    mutex_lock(&w->mutex);
    buf_put(&copy, buf_slice(&w->request));
    mutex_unlock(&w->mutex);
    return copy;
}
