#include "redis/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* A dead peer of an idle connection is noticed after 15 + 3 * 5 seconds at the latest. */
enum { KEEPALIVE_IDLE_S = 15, KEEPALIVE_INTERVAL_S = 5, KEEPALIVE_PROBES = 3 };

static struct timeval timeval_of(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

int dial_set_timeouts(int fd, int receive_ms, int send_ms)
{
    struct timeval in = timeval_of(receive_ms), out = timeval_of(send_ms);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out) != 0)
        return -errno;
    return 0;
}

static int set_flag(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

static int set_tcp_options(int fd, const struct redis_options *o)
{
    int rc = set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (rc == 0)
        rc = set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (rc == 0)
        rc = set_flag(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    if (rc == 0)
        rc = set_flag(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    if (rc == 0)
        rc = set_flag(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    /* Sent and not acknowledged for this long: the peer is gone. Not before whoever awaits the
     * reply has lost patience and closes: the kernel gives up without a word to the server. */
    int gone_ms = 1000 * (KEEPALIVE_IDLE_S + KEEPALIVE_PROBES * KEEPALIVE_INTERVAL_S);
    if (gone_ms < 2 * o->socket_timeout_ms)
        gone_ms = 2 * o->socket_timeout_ms;
    if (rc == 0)
        rc = set_flag(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, gone_ms);
    return rc;
}

void dial_let_go(int fd)
{
    (void)!set_flag(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0); /* no TCP, no such thing */
}

/* connect() within ms. SO_SNDTIMEO bounds it for TCP and unix sockets alike; a non-blocking
 * connect would not do, because a unix socket then fails at once when the backlog is full. */
static int connect_within(int fd, const struct sockaddr *addr, socklen_t len, int ms)
{
    int rc = dial_set_timeouts(fd, ms, ms);
    if (rc != 0)
        return rc;
    do
        rc = connect(fd, addr, len);
    while (rc != 0 && errno == EINTR);
    if (rc == 0 || errno == EISCONN) /* EISCONN: established during the interruption */
        return 0;
    return errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int dial_unix(const struct redis_options *o, int64_t deadline_ns, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t n = strlen(o->path);
    if (n >= sizeof addr.sun_path)
        return err_set(err, -EINVAL, "the path of the socket is longer than %zu bytes",
                       sizeof addr.sun_path - 1);
    memcpy(addr.sun_path, o->path, n);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, -ENOTCONN, "socket: %s", strerror(errno));
    int ms = clock_poll_ms(deadline_ns);
    int rc = connect_within(fd, (struct sockaddr *)&addr, sizeof addr, ms > 0 ? ms : 1);
    if (rc != 0) {
        (void)close(fd); /* nothing was sent: its result changes nothing */
        return err_set(err, -ENOTCONN, "%s", strerror(-rc));
    }
    return fd;
}

static int dial_address(const struct addrinfo *at, const struct redis_options *o, int ms)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = set_tcp_options(fd, o);
    if (rc == 0)
        rc = connect_within(fd, at->ai_addr, at->ai_addrlen, ms);
    if (rc != 0) {
        (void)close(fd); /* nothing was sent: its result changes nothing */
        return rc;
    }
    return fd;
}

static int dial_tcp(const struct redis_options *o, int64_t deadline_ns, struct err *err)
{
    char port[16];
    (void)snprintf(port, sizeof port, "%d", o->port); /* an int fits */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(o->host, port, &hints, &list);
    if (rc != 0)
        return err_set(err, -ENOTCONN, "%s", rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));

    int left = 0;
    for (const struct addrinfo *at = list; at; at = at->ai_next)
        left++;
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next, left--) {
        int ms = clock_poll_ms(deadline_ns) / left; /* an equal share of what is left */
        fd = dial_address(at, o, ms > 0 ? ms : 1);
    }
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(err, -ENOTCONN, "%s", strerror(-fd));
    return fd;
}

int dial(const struct redis_options *options, int64_t deadline_ns, struct err *err)
{
    return options->path ? dial_unix(options, deadline_ns, err)
                         : dial_tcp(options, deadline_ns, err);
}
