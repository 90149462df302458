/* For the threads of servers in tests: wait for a client, or for the end. */
#ifndef SLUICE_TESTS_WAIT_FD_H
#define SLUICE_TESTS_WAIT_FD_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

/* Until fd is readable; false when stop is, as it is time to stop. */
static inline bool wait_readable(int fd, int stop)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    return p[1].revents == 0;
}

#endif
