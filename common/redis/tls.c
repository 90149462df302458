#include "redis/tls.h"

#ifndef SLUICE_REDIS_TLS

bool redis_tls_supported(void)
{
    return false;
}

int tls_check(const struct redis_options *options, struct err *err)
{
    (void)options;
    return err_set(err, -EINVAL, "rediss:// needs a build with hiredis_ssl (hiredis 1.0 or later)");
}

int tls_start(struct redisContext *redis, const struct redis_options *options, int64_t deadline_ns,
              struct err *err)
{
    (void)redis, (void)deadline_ns;
    return tls_check(options, err); /* tls_check() comes first: nobody gets here */
}

#else

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"

enum { KEEP_CONTEXT_S = 60 };

/* The last context, and what it was made from. */
static struct {
    struct mutex mutex; /* guards: the rest */
    SSL_CTX *ctx;
    char *ca, *cert, *key;
    int64_t made_ns;
} kept = {.mutex = {PTHREAD_MUTEX_INITIALIZER}};

bool redis_tls_supported(void)
{
    return true;
}

int tls_check(const struct redis_options *options, struct err *err)
{
    if (options->path)
        return err_set(err, -EINVAL, "TLS to Redis is for TCP, not for a unix socket");
    if (!options->tls_cert != !options->tls_key)
        return err_set(err, -EINVAL, "a client certificate and its key must be given together");
    return 0;
}

/* The newest OpenSSL error in words; the queue of this thread is empty afterwards. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : "unknown TLS error";
}

static int load_files(SSL_CTX *ctx, const struct redis_options *o, struct err *err)
{
    int ok = o->tls_ca ? SSL_CTX_load_verify_locations(ctx, o->tls_ca, NULL)
                       : SSL_CTX_set_default_verify_paths(ctx);
    if (ok != 1)
        return err_set(err, -EINVAL, "TLS certificates of the authorities, %s: %s",
                       o->tls_ca ? o->tls_ca : "the system's", reason());
    if (o->tls_cert && SSL_CTX_use_certificate_chain_file(ctx, o->tls_cert) != 1)
        return err_set(err, -EINVAL, "TLS client certificate %s: %s", o->tls_cert, reason());
    if (o->tls_key && SSL_CTX_use_PrivateKey_file(ctx, o->tls_key, SSL_FILETYPE_PEM) != 1)
        return err_set(err, -EINVAL, "TLS client key %s: %s", o->tls_key, reason());
    return 0;
}

static int make_context(const struct redis_options *o, SSL_CTX **ret, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return err_set(err, -ENOMEM, "TLS: %s", reason());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    int rc = 0;
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        rc = err_set(err, -EINVAL, "TLS: %s", reason());
    if (rc == 0)
        rc = load_files(ctx, o, err);
    if (rc != 0)
        SSL_CTX_free(ctx);
    else
        *ret = ctx;
    return rc;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_kept_locked(const struct redis_options *o, int64_t now_ns)
{
    return kept.ctx && now_ns - kept.made_ns < KEEP_CONTEXT_S * NS_PER_S &&
           same(kept.ca, o->tls_ca) && same(kept.cert, o->tls_cert) && same(kept.key, o->tls_key);
}

static void replace(char **at, const char *text)
{
    free(*at);
    *at = text ? strdup(text) : NULL;
}

static void keep_locked(SSL_CTX *ctx, const struct redis_options *o, int64_t now_ns)
{
    SSL_CTX_free(kept.ctx); /* connections that use it hold references of their own */
    kept.ctx = ctx;
    kept.made_ns = now_ns;
    replace(&kept.ca, o->tls_ca);
    replace(&kept.cert, o->tls_cert);
    replace(&kept.key, o->tls_key);
}

/* A new SSL for the options. The context is made under the mutex, so that a hundred connections
 * that open at once wait for one reading of the files instead of doing a hundred. */
static int new_session(const struct redis_options *o, SSL **ret, struct err *err)
{
    int rc = 0;
    int64_t now_ns = clock_now_ns();
    mutex_lock(&kept.mutex);
    if (!is_kept_locked(o, now_ns)) {
        SSL_CTX *ctx = NULL;
        rc = make_context(o, &ctx, err);
        if (rc == 0)
            keep_locked(ctx, o, now_ns);
    }
    SSL *ssl = rc == 0 ? SSL_new(kept.ctx) : NULL;
    mutex_unlock(&kept.mutex);
    if (rc != 0)
        return rc;
    if (!ssl)
        return err_set(err, -ENOMEM, "TLS: %s", reason());
    *ret = ssl;
    return 0;
}

/* Demands that the certificate is for this host: the address when it is one, else the name, which
 * is also sent (SNI) so that a server with many names can choose. */
static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static int handshake_failed(SSL *ssl, struct err *err)
{
    long verified = SSL_get_verify_result(ssl);
    const char *why = verified == X509_V_OK ? reason() : X509_verify_cert_error_string(verified);
    ERR_clear_error();
    return err_set(err, -ENOTCONN, "TLS: %s", why);
}

/* Drives the handshake of a non-blocking socket to its end. */
static int shake_hands(SSL *ssl, int fd, const struct redis_options *o, int64_t deadline_ns,
                       struct err *err)
{
    for (;;) {
        ERR_clear_error();
        int rc = SSL_do_handshake(ssl);
        if (rc == 1)
            return 0;
        int want = SSL_get_error(ssl, rc);
        if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE)
            return handshake_failed(ssl, err);
        struct pollfd p = {.fd = fd, .events = want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT};
        int n = poll(&p, 1, clock_poll_ms(deadline_ns));
        if (n == 0)
            return err_set(err, -ENOTCONN, "TLS: no answer within %d ms", o->connect_timeout_ms);
        if (n < 0 && errno != EINTR)
            return err_set(err, -ENOTCONN, "poll: %s", strerror(errno));
    }
}

int tls_start(redisContext *redis, const struct redis_options *options, int64_t deadline_ns,
              struct err *err)
{
    SSL *ssl = NULL;
    int rc = new_session(options, &ssl, err);
    if (rc != 0)
        return rc;
    int flags = fcntl(redis->fd, F_GETFL);
    if (!expect_host(ssl, options->host) || flags < 0 ||
        fcntl(redis->fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        SSL_free(ssl);
        return err_set(err, -EINVAL, "TLS: this host name cannot be verified");
    }

    /* hiredis only begins the handshake, because it believes that this context does not block:
     * a blocking SSL_connect() could not be held to one deadline. */
    redis->flags &= ~REDIS_BLOCK;
    if (redisInitiateSSL(redis, ssl) != REDIS_OK) {
        rc = handshake_failed(ssl, err);
        SSL_free(ssl);
        return rc;
    }
    rc = shake_hands(ssl, redis->fd, options, deadline_ns, err); /* ssl is hiredis' now */
    if (rc == 0 && fcntl(redis->fd, F_SETFL, flags) != 0)
        rc = err_set(err, -ENOTCONN, "fcntl: %s", strerror(errno));
    redis->flags |= REDIS_BLOCK;
    return rc;
}

#endif
