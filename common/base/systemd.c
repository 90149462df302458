#include "base/systemd.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof addr.sun_path)
        return;
    size_t n = strlen(path);
    memcpy(addr.sun_path, path, n);
    if (path[0] == '@') /* the abstract name space */
        addr.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t sent =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&addr, len);
    (void)sent; /* nobody listens: systemd will find out by itself */
    (void)close(fd);
}

void systemd_stopping(double seconds)
{
    char state[80];
    (void)snprintf(state, sizeof state, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%" PRId64,
                   (int64_t)(seconds * 1e6)); /* it fits */
    systemd_notify(state);
}

int64_t systemd_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    return strtoll(usec, NULL, 10) / 1000 / 2; /* twice as often as asked, as the manual advises */
}
