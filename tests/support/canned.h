/*
 * A server that says what it is told to: for replies that a real server gives only in rare states
 * (loading, full, broken), and for bytes that no real server sends.
 *
 * It listens on a unix socket; each client that has sent its first byte is answered with the whole
 * text at once, and is then kept open until the end. One thread serves one client at a time. A cut
 * makes the text arrive in two reads: the rest is sent when the client has read what is before it.
 *
 * Threads: start and stop from one thread. Errors: 0 or a negative errno.
 */
#ifndef SLUICE_TESTS_CANNED_H
#define SLUICE_TESTS_CANNED_H

#include "base/err.h"
#include "base/slice.h"
#include "base/thread.h"

struct canned {
    char dir[40], socket[64];
    struct slice text; /* borrowed until the stop */
    size_t cut;        /* 0: none */
    int listener, stop[2];
    struct thread thread;
};

int canned_start(struct canned *c, struct slice text) warn_unused_result;
int canned_start_cut(struct canned *c, struct slice text, size_t cut) warn_unused_result;
void canned_stop(struct canned *c);

#endif
