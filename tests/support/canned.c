#include "support/canned.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/wait_fd.h"

/* Until the client has read all that was sent; false when it is time to stop. */
static bool wait_until_read(const struct canned *c, int fd)
{
    struct pollfd stop = {.fd = c->stop[0], .events = POLLIN};
    int unread = 1;
    while (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0)
        if (poll(&stop, 1, 1) > 0)
            return false;
    return true;
}

static bool answer(const struct canned *c, int fd)
{
    if (c->cut > 0 && (send(fd, c->text.p, c->cut, MSG_NOSIGNAL) < 0 || !wait_until_read(c, fd)))
        return false;
    return send(fd, c->text.p + c->cut, c->text.n - c->cut, MSG_NOSIGNAL) >= 0;
}

static void *serve(void *arg)
{
    struct canned *c = arg;
    while (wait_readable(c->listener, c->stop[0])) {
        int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
        char request[4096];
        bool answered = false;
        while (fd >= 0 && wait_readable(fd, c->stop[0]) && recv(fd, request, sizeof request, 0) > 0)
            if (!answered)
                answered = answer(c, fd);
        if (fd >= 0)
            (void)close(fd);
    }
    return NULL;
}

int canned_start(struct canned *c, struct slice text)
{
    return canned_start_cut(c, text, 0);
}

int canned_start_cut(struct canned *c, struct slice text, size_t cut)
{
    *c = (struct canned){.text = text, .cut = cut, .dir = "/tmp/sluice-canned-XXXXXX"};
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
