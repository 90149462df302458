#include "support/viewer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/http_ask.h"
#include "support/support.h"

size_t viewer_request(const struct viewer_client *v, char *ret, size_t size)
{
    int64_t id = v->id + v->lie;
    /* By 1.0 the body comes as it is, and ends with the connection. */
    int n =
        snprintf(ret, size, "GET /v1/jobs/%s/events HTTP/1.0\r\nLast-Event-ID: %" PRId64 "\r\n\r\n",
                 v->jid, id);
    ck_assert_int_lt(n, (int)size);
    return (size_t)n;
}

static void dial(struct viewer_client *v)
{
    char request[256];
    v->fd = ask_dial(v->port);
    if (v->fd < 0)
        return; /* later */
    size_t n = viewer_request(v, request, sizeof request);
    if (send(v->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
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

/* ---- what it sees ---- */

static void complain(struct viewer_client *v, int64_t *count, int64_t n, const char *fmt, ...)
    printf_like(4, 5);

static void complain(struct viewer_client *v, int64_t *count, int64_t n, const char *fmt, ...)
{
    va_list ap;
    *count += n;
    if (v->complaint[0])
        return;
    int at = snprintf(v->complaint, sizeof v->complaint, "job %s: ", v->jid);
    va_start(ap, fmt);
    (void)vsnprintf(v->complaint + at, sizeof v->complaint - (size_t)at, fmt, ap); /* cut */
    va_end(ap);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void take_event(struct viewer_client *v, int64_t id, const char *data)
{
    v->events++;
    if (id > v->id + 1)
        complain(v, &v->lost, id - v->id - 1, "event %" PRId64 " after %" PRId64, id, v->id);
    if (id <= v->id)
        complain(v, &v->doubled, 1, "event %" PRId64 " after %" PRId64, id, v->id);
    else
        v->id = id;
    if (v->judge && !v->judge(v->judge_ctx, id, data))
        complain(v, &v->odd, 1, "event %" PRId64 " is %s", id, data);
}

/* A block without its empty line. */
static void take_block(struct viewer_client *v, const char *block)
{
    int64_t id;
    if (*block == ':') {
        v->beats++;
        return;
    }
    if (begins(block, "retry: "))
        return;
    const char *data = strstr(block, "data: ");
    if (!data) {
        complain(v, &v->odd, 1, "no event: %s", block);
        return;
    }
    data += 6;
    if (v->final && !begins(data, "{\"type\":\"attempt\"")) /* of a job that runs again */
        complain(v, &v->odd, 1, "behind the end: %s", block);
    v->final = begins(data, "{\"type\":\"status\"");
    if (sscanf(block, "id: %" SCNd64 "\n", &id) == 1)
        take_event(v, id, data);
    if (v->judge)
        return;
    buf_puts(&v->data, data);
    buf_putc(&v->data, '\n');
}

static void take_head(struct viewer_client *v, const char *head)
{
    v->headed = true;
    if (!begins(head, "HTTP/1.") || !strstr(head, " 200 ") ||
        !strstr(head, "Content-Type: text/event-stream"))
        complain(v, &v->odd, 1, "no stream: %s", head);
}

void viewer_take(struct viewer_client *v, const char *bytes, size_t n)
{
    buf_append(&v->in, bytes, n);
    ck_assert_int_eq(buf_error(&v->in), 0);
    char *text = v->in.p, *end;
    while ((end = strstr(text, v->headed ? "\n\n" : "\r\n\r\n")) != NULL) {
        size_t gap = v->headed ? 2 : 4;
        *end = '\0';
        if (v->headed)
            take_block(v, text);
        else
            take_head(v, text);
        text = end + gap;
    }
    buf_consume(&v->in, (size_t)(text - v->in.p));
}

void viewer_hung_up(struct viewer_client *v)
{
    v->ended = v->final;
    viewer_cut(v);
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
        viewer_take(v, bytes, (size_t)n);
    int code = errno;
    ck_assert_msg(v->complaint[0] == '\0', "%s", v->complaint);
    if (n < 0 && (code == EAGAIN || code == EINTR))
        return;
    viewer_hung_up(v);
}
