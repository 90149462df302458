/*
 * SIGPIPE, kept from a program that we are only a guest in.
 *
 * hiredis writes without MSG_NOSIGNAL, so a peer that has gone raises SIGPIPE, which ends a program
 * that does not expect it. Our own programs ignore the signal; a library must not decide that for
 * others. So it is blocked in the calling thread for the length of a call, and one that came
 * meanwhile is taken back, unless one was waiting before: that one is not ours.
 *
 * (Rejected: writing to the socket ourselves, which with TLS is not ours either.)
 *
 * Threads: it is the calling thread's mask. Ownership: embedded, on the stack.
 */
#ifndef SLUICE_CLIENT_SIGPIPE_H
#define SLUICE_CLIENT_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct sigpipe {
    sigset_t before;
    bool was_pending;
};

void sigpipe_block(struct sigpipe *s);
void sigpipe_restore(const struct sigpipe *s);

#endif
