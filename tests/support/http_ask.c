#include "support/http_ask.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/support.h"

enum { ANSWER_MS = 60000 };

int ask_dial(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    (void)close(fd); /* never connected */
    return -1;
}

void ask_read(int fd, struct buf *out)
{
    char bytes[16384];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;
    do {
        ck_assert_msg(poll(&p, 1, ANSWER_MS) == 1, "no answer");
        n = recv(fd, bytes, sizeof bytes, 0);
        if (n > 0)
            buf_append(out, bytes, (size_t)n);
    } while (n > 0);
}

struct answer ask_raw(int port, struct slice request)
{
    struct answer a = {0};
    struct buf got = {0};
    int fd = ask_dial(port);
    if (fd < 0)
        return a;
    /* A server that refuses by the head may close before it has all of the body. */
    for (size_t sent = 0; sent < request.n;) {
        ssize_t n = send(fd, request.p + sent, request.n - sent, MSG_NOSIGNAL);
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    ask_read(fd, &got);
    (void)close(fd); /* only read */
    buf_putc(&got, '\0');
    a.text = buf_steal(&got, NULL);
    ck_assert_ptr_nonnull(a.text);
    if (sscanf(a.text, "HTTP/1.1 %d ", &a.status) != 1)
        return a;
    const char *end = strstr(a.text, "\r\n\r\n");
    ck_assert_ptr_nonnull(end);
    a.body = end + 4;
    return a;
}

struct answer ask_for(int port, const char *method, const char *path, const char *headers,
                      struct slice body)
{
    struct buf request = {0};
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s", method,
               path, headers);
    if (body.n > 0 || strcmp(method, "POST") == 0)
        buf_printf(&request, "Content-Length: %zu\r\n", body.n);
    buf_puts(&request, "\r\n");
    buf_put(&request, body);
    ck_assert_int_eq(buf_error(&request), 0);
    struct answer a = ask_raw(port, buf_slice(&request));
    buf_release(&request);
    return a;
}
