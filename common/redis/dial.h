/*
 * Dialling: from options to a connected socket.
 *
 * The socket is made here and not by hiredis, because hiredis opens it without FD_CLOEXEC (a
 * child spawned by another thread at that instant would inherit it) and gives each address of a
 * name the whole timeout.
 *
 * Blocking: the resolver's own time for a host name, then at most until the deadline.
 */
#ifndef SLUICE_REDIS_DIAL_H
#define SLUICE_REDIS_DIAL_H

#include "redis/conn.h"

/* Returns the descriptor (close-on-exec, blocking), -ENOTCONN, or -EINVAL for a path that does not
 * fit into a socket address. The sentence leaves the address to the caller. */
int dial(const struct redis_options *options, int64_t deadline_ns,
         struct err *err) warn_unused_result;

/* Before the descriptor is closed: the end of the connection is sent until the server has it, and
 * not given up after the timeout of what is sent otherwise. Else a server which could not be
 * reached at that moment keeps its side until its own keepalive, five minutes later. */
void dial_let_go(int fd);

/* How long one receive or send may wait; ms > 0. */
int dial_set_timeouts(int fd, int receive_ms, int send_ms) warn_unused_result;

#endif
