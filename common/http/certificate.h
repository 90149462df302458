/*
 * The certificate of this process' HTTP server: a chain and its key, from PEM files, which may be
 * replaced while it serves. Connections that are there keep what they began with.
 *
 * libmicrohttpd speaks TLS by GnuTLS and asks for the certificate at each handshake, without a
 * context of ours: so there is one for the process. (Rejected: the library's own options, which
 * take the bytes once and for all, so that a renewal would need a restart; OpenSSL, which the rest
 * of the program has, because this library cannot use it.)
 *
 * Threads: any.
 */
#ifndef SLUICE_HTTP_CERTIFICATE_H
#define SLUICE_HTTP_CERTIFICATE_H

#include "base/err.h"

/* Replaces what there was. On failure that stays, and err names the file: -EINVAL (no PEM, or a key
 * that is not the certificate's), -ENOENT and others of reading, -ENOMEM. */
int http_certificate_load(const char *chain_file, const char *key_file,
                          struct err *err) warn_unused_result;
void http_certificate_unload(void);

/* "sha256//" and the digest of its public key in base64, as curl's --pinnedpubkey takes it; "" when
 * there is none. */
enum { HTTP_PIN_BYTES = 64 };
void http_certificate_pin(char ret[HTTP_PIN_BYTES]);

/* What the server gives to libmicrohttpd (MHD_OPTION_HTTPS_CERT_CALLBACK2). */
void *http_certificate_callback(void);

#endif
