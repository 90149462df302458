/*
 * An HTTP service for the tests of http handlers: it keeps the last request and answers each with
 * the text that it was given.
 *
 * It listens on a free port of 127.0.0.1 and serves one client at a time, for as many requests as
 * that sends. An answer that is not whole (or empty) leaves the client waiting, unless the
 * connection is to be cut after it. With a certificate it speaks TLS, as https://localhost.
 *
 * Threads: one of its own; the functions may be called from any other.
 */
#ifndef SLUICE_TESTS_WEBHOOK_H
#define SLUICE_TESTS_WEBHOOK_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/thread.h"
#include "support/tls_end.h"

struct webhook {
    int port, listener, stop[2];
    char url[64];
    struct tls_server *tls; /* NULL: without */
    struct thread thread;
    struct mutex mutex; /* guards: below */
    struct buf answer, request;
    bool cut;
    int requests, connections;
};

void webhook_start(struct webhook *w); /* fails the test when it cannot */
void webhook_start_tls(struct webhook *w, const char *cert_file, const char *key_file);
void webhook_stop(struct webhook *w);

void webhook_answers(struct webhook *w, const char *text);
void webhook_cuts_after(struct webhook *w, const char *text);

int webhook_requests(struct webhook *w);
int webhook_connections(struct webhook *w);
/* Head and body of the last request; the caller releases it. */
struct buf webhook_request(struct webhook *w);

#endif
