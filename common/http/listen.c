#include "http/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

int http_split_address(const char *address, char ret_host[HTTP_HOST_MAX], const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    if (!colon)
        return -EINVAL;
    size_t n = (size_t)(colon - address);
    if (n >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        n -= 2;
    }
    if (n == 0 || n >= HTTP_HOST_MAX || colon[1] == '\0')
        return -EINVAL;
    memcpy(ret_host, address, n);
    ret_host[n] = '\0';
    *ret_port = colon + 1;
    return 0;
}

bool http_address_is_loopback(int family, const void *address)
{
    if (family == AF_INET6) {
        const struct in6_addr *a = address;
        return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
    }
    const struct in_addr *a = address;
    return ntohl(a->s_addr) >> 24 == 127;
}

static bool is_loopback(const struct sockaddr *addr)
{
    const void *at = addr;
    if (addr->sa_family == AF_INET6)
        return http_address_is_loopback(AF_INET6, &((const struct sockaddr_in6 *)at)->sin6_addr);
    return http_address_is_loopback(AF_INET, &((const struct sockaddr_in *)at)->sin_addr);
}

static int listen_at(const struct addrinfo *at)
{
    int on = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* Else a restart would have to wait for the last connections' TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int rc = -errno;
        (void)close(fd); /* nothing was sent */
        return rc;
    }
    return fd;
}

int http_listen(const char *address, int *ret_fd, bool *ret_loopback, struct err *err)
{
    char host[HTTP_HOST_MAX];
    const char *port;
    if (http_split_address(address, host, &port) != 0)
        return err_set(err, -EINVAL, "%s: must be host:port", address);

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0)
        return err_set(err, -EADDRNOTAVAIL, "%s: %s", address,
                       rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));

    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = listen_at(at);
        *ret_loopback = is_loopback(at->ai_addr);
    }
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(err, fd, "%s: %s", address, strerror(-fd));
    *ret_fd = fd;
    return 0;
}
