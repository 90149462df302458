/*
 * The server's end of TLS, for servers in tests.
 *
 * Threads: one for each end; the server's certificate is shared. A client that says nothing ends
 * the handshake after some seconds, so that nobody waits for it for ever.
 * Errors: tls_server_new() fails the test; the rest says so as read(2) and write(2) do.
 */
#ifndef SLUICE_TESTS_TLS_END_H
#define SLUICE_TESTS_TLS_END_H

#include <stdbool.h>
#include <sys/types.h>

struct tls_server; /* a certificate and its key */
struct tls_end;    /* one connection */

struct tls_server *tls_server_new(const char *cert_file, const char *key_file);
void tls_server_free(struct tls_server *s);

/* Shakes hands. NULL when that fails: a client that does not trust the certificate hangs up. The
 * descriptor stays the caller's. */
struct tls_end *tls_end_open(struct tls_server *s, int fd);
void tls_end_free(struct tls_end *e);

/* Whether more can be read without waiting for the descriptor. */
bool tls_end_has_more(const struct tls_end *e);
ssize_t tls_end_read(struct tls_end *e, void *bytes, size_t n);
ssize_t tls_end_write(struct tls_end *e, const void *bytes, size_t n);

#endif
