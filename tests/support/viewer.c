#include "support/viewer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/http_ask.h"
#include "support/support.h"

static void dial(struct viewer_client *v)
{
    char request[256];
    v->fd = ask_dial(v->port);
    if (v->fd < 0)
        return; /* later */
    /* By 1.0 the body comes as it is, and ends with the connection. */
    int n = snprintf(request, sizeof request,
                     "GET /v1/jobs/%s/events HTTP/1.0\r\nLast-Event-ID: %" PRId64 "\r\n\r\n",
                     v->jid, v->id);
    if (send(v->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        viewer_cut(v);
    else
        ck_assert_int_eq(fcntl(v->fd, F_SETFL, O_NONBLOCK), 0);
}

void viewer_open(struct viewer_client *v, int port, const char *jid, int64_t after)
{
    *v = (struct viewer_client){.port = port, .id = after, .fd = -1};
    (void)snprintf(v->jid, sizeof v->jid, "%s", jid);
    dial(v);
}

void viewer_cut(struct viewer_client *v)
{
    if (v->fd >= 0)
        (void)close(v->fd); /* nothing was written */
    v->fd = -1;
    v->headed = false;
    buf_clear(&v->in);
}

void viewer_free(struct viewer_client *v)
{
    viewer_cut(v);
    buf_release(&v->in);
    buf_release(&v->data);
}

/* A block without its empty line. */
static void take_block(struct viewer_client *v, const char *block)
{
    int64_t id;
    if (*block == ':') {
        v->beats++;
        return;
    }
    if (strncmp(block, "retry: ", 7) == 0)
        return;
    const char *data = strstr(block, "data: ");
    ck_assert_msg(data != NULL, "no event: %s", block);
    if (sscanf(block, "id: %" SCNd64 "\n", &id) == 1) {
        ck_assert_msg(id == v->id + 1, "job %s: event %" PRId64 " after %" PRId64, v->jid, id,
                      v->id);
        v->id = id;
    }
    v->final = strstr(data, "{\"type\":\"status\"") != NULL;
    buf_puts(&v->data, data + 6);
    buf_putc(&v->data, '\n');
}

static void take_all(struct viewer_client *v)
{
    for (;;) {
        char *text = (char *)(uintptr_t)buf_str(&v->in);
        char *end = strstr(text, v->headed ? "\n\n" : "\r\n\r\n");
        if (!end)
            return;
        size_t n = (size_t)(end - text) + (v->headed ? 2 : 4);
        *end = '\0';
        if (v->headed) {
            take_block(v, text);
        } else {
            ck_assert_msg(strncmp(text, "HTTP/1.", 7) == 0 && strstr(text, " 200 "), "%s", text);
            ck_assert_msg(strstr(text, "Content-Type: text/event-stream"), "%s", text);
            v->headed = true;
        }
        buf_consume(&v->in, n);
    }
}

void viewer_pull(struct viewer_client *v)
{
    char bytes[16384];
    if (v->ended)
        return;
    if (v->fd < 0) {
        dial(v);
        return;
    }
    ssize_t n;
    while ((n = recv(v->fd, bytes, sizeof bytes, 0)) > 0)
        buf_append(&v->in, bytes, (size_t)n);
    int code = errno;
    take_all(v);
    if (n < 0 && (code == EAGAIN || code == EINTR))
        return;
    v->ended = v->final;
    viewer_cut(v);
}
