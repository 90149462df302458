#include "sse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front.h"

enum { READ_BYTES = 65536 };

/* As a browser's heads are. */
#define HEAD                                                                                       \
    "Host: 127.0.0.1\r\nConnection: keep-alive\r\n"                                                \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "          \
    "Chrome/128.0.0.0 Safari/537.36\r\n"                                                           \
    "Cache-Control: no-cache\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n"           \
    "Sec-Fetch-Dest: empty\r\nReferer: http://127.0.0.1/\r\nAccept-Encoding: gzip, deflate, "      \
    "br\r\n"                                                                                       \
    "Accept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n"

static void ask(const struct sse *s, const char *path, const char *accept)
{
    char request[1024];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HEAD "Accept: %s\r\n\r\n", path,
                     accept);
    if (send(s->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        lab_fail("a viewer cannot send");
}

void sse_open(struct sse *s, int port, const char *jid)
{
    char path[128], answer[512];
    *s = (struct sse){.fd = front_dial(port)};
    if (s->fd < 0)
        lab_fail("a viewer cannot connect");
    ask(s, "/livez", "*/*");
    if (recv(s->fd, answer, sizeof answer, 0) <= 0)
        lab_fail("a viewer has no answer");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/events", jid);
    ask(s, path, "text/event-stream");
}

static void take_text(struct sse *s, const char *text, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n') {
            s->newlines = 0;
        } else if (++s->newlines == 2) {
            s->blocks++;
        }
    }
    if (out)
        buf_append(out, text, n);
}

/* One byte of the framing. */
static void take_frame(struct sse *s, char c)
{
    switch (s->state) {
    case SSE_HEAD:
        if (c == '\n')
            s->newlines++;
        else if (c != '\r')
            s->newlines = 0;
        if (s->newlines == 2) {
            s->state = SSE_SIZE;
            s->newlines = 0;
        }
        break;
    case SSE_SIZE:
        if (c == '\n')
            s->state = s->left > 0 ? SSE_DATA : SSE_END;
        else if (c != '\r')
            s->left = 16 * s->left + (size_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        break;
    case SSE_BREAK:
        if (c == '\n')
            s->state = SSE_SIZE;
        break;
    case SSE_DATA:
    case SSE_END:
        break;
    }
}

size_t sse_pull(struct sse *s, struct buf *out)
{
    static char bytes[READ_BYTES]; /* for all: there is one thread */
    ssize_t n = recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0 || (n == 0 && s->state != SSE_END))
        lab_fail("a viewer was cut off");
    for (size_t i = 0; i < (size_t)n;) {
        if (s->state != SSE_DATA) {
            take_frame(s, bytes[i++]);
            continue;
        }
        size_t text = (size_t)n - i < s->left ? (size_t)n - i : s->left;
        take_text(s, bytes + i, text, out);
        i += text;
        s->left -= text;
        if (s->left == 0)
            s->state = SSE_BREAK;
    }
    return (size_t)n;
}

void sse_close(struct sse *s)
{
    (void)close(s->fd); /* nothing is wanted any more */
}
