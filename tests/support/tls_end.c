#include "support/tls_end.h"

#include <limits.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "support/support.h"

enum { PATIENCE_S = 10 };

struct tls_server {
    SSL_CTX *ctx;
};

struct tls_end {
    SSL *ssl;
};

struct tls_server *tls_server_new(const char *cert_file, const char *key_file)
{
    struct tls_server *s = malloc(sizeof *s);
    ck_assert_ptr_nonnull(s);
    s->ctx = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(s->ctx);
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(s->ctx, cert_file), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(s->ctx, key_file, SSL_FILETYPE_PEM), 1);
    return s;
}

void tls_server_free(struct tls_server *s)
{
    if (s)
        SSL_CTX_free(s->ctx);
    free(s);
}

struct tls_end *tls_end_open(struct tls_server *s, int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct tls_end *e = malloc(sizeof *e);
    ck_assert_ptr_nonnull(e);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    e->ssl = SSL_new(s->ctx);
    ck_assert_ptr_nonnull(e->ssl);
    ck_assert_int_eq(SSL_set_fd(e->ssl, fd), 1);
    if (SSL_accept(e->ssl) == 1)
        return e;
    tls_end_free(e);
    return NULL;
}

void tls_end_free(struct tls_end *e)
{
    if (!e)
        return;
    (void)SSL_shutdown(e->ssl); /* the end of the data; whether the client hears it is up to it */
    SSL_free(e->ssl);
    free(e);
}

bool tls_end_has_more(const struct tls_end *e)
{
    return SSL_pending(e->ssl) > 0;
}

ssize_t tls_end_read(struct tls_end *e, void *bytes, size_t n)
{
    return SSL_read(e->ssl, bytes, n < INT_MAX ? (int)n : INT_MAX);
}

ssize_t tls_end_write(struct tls_end *e, const void *bytes, size_t n)
{
    return SSL_write(e->ssl, bytes, n < INT_MAX ? (int)n : INT_MAX);
}
