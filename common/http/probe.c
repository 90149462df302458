#include "http/probe.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "http/listen.h"

enum { TIMEOUT_S = 3, ANSWER_MAX = 4096 };

static int dial(const struct addrinfo *at)
{
    static const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
        connect(fd, at->ai_addr, at->ai_addrlen) == 0)
        return fd;
    int rc = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    (void)close(fd); /* nothing was sent */
    return rc;
}

/* The address is the one it listens at; for "any" of them Linux takes the loopback. */
static int reach(const char *listen, struct err *err)
{
    char host[HTTP_HOST_MAX];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    int fd = -EADDRNOTAVAIL;
    if (http_split_address(listen, host, &port) != 0)
        return err_set(err, -EINVAL, "%s: must be host:port", listen);
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0)
        return err_set(err, fd, "%s: %s", listen, gai_strerror(rc));
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = dial(at);
    freeaddrinfo(list);
    return fd < 0 ? err_set(err, fd, "%s: %s", listen, strerror(-fd)) : fd;
}

static int ask(int fd, const char *token, char answer[ANSWER_MAX])
{
    struct buf request = {0};
    buf_puts(&request, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    if (token)
        buf_printf(&request, "Authorization: Bearer %s\r\n", token);
    buf_puts(&request, "\r\n");
    ssize_t sent = buf_error(&request) != 0 ? -1 : send(fd, request.p, request.n, MSG_NOSIGNAL);
    int rc = sent < 0 ? -errno : 0;
    buf_release(&request);
    size_t n = 0;
    for (ssize_t got = 1; rc == 0 && got > 0 && n<ANSWER_MAX - 1; n += got> 0 ? (size_t)got : 0) {
        got = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0);
        rc = got < 0 ? -errno : 0;
    }
    answer[n] = '\0';
    return rc == -EAGAIN || rc == -EWOULDBLOCK ? -ETIMEDOUT : rc;
}

int http_probe_ready(const char *listen, const char *token, struct err *err)
{
    char answer[ANSWER_MAX];
    int fd = reach(listen, err);
    if (fd < 0)
        return fd;
    int rc = ask(fd, token, answer);
    (void)close(fd); /* all of the answer has been read, or does not matter */
    if (rc != 0)
        return err_set(err, rc, "%s: %s", listen, strerror(-rc));
    const char *status = strchr(answer, ' '), *body = strstr(answer, "\r\n\r\n");
    if (!status || !body || strncmp(answer, "HTTP/1.", 7) != 0)
        return err_set(err, -EPROTO, "%s: the answer is not one of HTTP", listen);
    if (strtol(status, NULL, 10) == 200)
        return 0;
    return err_set(err, -EAGAIN, "%s: %.*s", listen, (int)strcspn(body + 4, "\n"), body + 4);
}
