#include "support/canned.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Waits for fd; false when it is time to stop. */
static bool wait_for(const struct canned *c, int fd)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->stop[0], .events = POLLIN}};
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    return p[1].revents == 0;
}

static void *serve(void *arg)
{
    struct canned *c = arg;
    while (wait_for(c, c->listener)) {
        int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
        char request[4096];
        bool answered = false;
        while (fd >= 0 && wait_for(c, fd) && recv(fd, request, sizeof request, 0) > 0)
            if (!answered)
                answered = send(fd, c->text.p, c->text.n, MSG_NOSIGNAL) >= 0;
        if (fd >= 0)
            (void)close(fd);
    }
    return NULL;
}

int canned_start(struct canned *c, struct slice text)
{
    *c = (struct canned){.text = text, .dir = "/tmp/sluice-canned-XXXXXX"};
    if (!mkdtemp(c->dir))
        return -errno;
    (void)snprintf(c->socket, sizeof c->socket, "%s/s", c->dir);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, c->socket, sizeof c->socket);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        listen(c->listener, 16) != 0 || pipe2(c->stop, O_CLOEXEC) != 0)
        return -errno;
    return thread_start(&c->thread, "canned", serve, c);
}

void canned_stop(struct canned *c)
{
    (void)close(c->stop[1]); /* readable for poll() from now on */
    thread_join(&c->thread);
    (void)close(c->stop[0]);
    (void)close(c->listener);
    (void)unlink(c->socket);
    (void)rmdir(c->dir);
}
