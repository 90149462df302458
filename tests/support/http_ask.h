/*
 * An HTTP client that is little more than a socket: it sends what it is told, byte for byte, and
 * reads until the server closes.
 *
 * Threads: safe from any. Ownership: the caller frees answer.text.
 */
#ifndef SLUICE_TESTS_HTTP_ASK_H
#define SLUICE_TESTS_HTTP_ASK_H

#include "base/buf.h"

struct answer {
    int status; /* 0: nobody serves there, or the server closed without a word */
    char *text; /* the whole answer, with a NUL */
    const char *body;
};

/* A connection to a port of 127.0.0.1; -1 when nobody listens. */
int ask_dial(int port);
/* Until the server closes, which it must. */
void ask_read(int fd, struct buf *out);

/* Sends a request as it is. */
struct answer ask_raw(int port, struct slice request);
/* Makes one: headers are whole lines ("Name: value\r\n"), "" for none. With a body or a method that
 * usually has one, Content-Length is added. */
struct answer ask_for(int port, const char *method, const char *path, const char *headers,
                      struct slice body);

#endif
