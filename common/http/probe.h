/*
 * A question to a daemon of ours on this machine: is it ready?
 *
 * For whoever has nothing but our programs to ask with: a container without curl, a probe that
 * needs a token. (Rejected: http/client.h, which posts jobs and follows answers of any length.)
 *
 * Threads: any. Blocking: a few seconds at most.
 */
#ifndef SLUICE_HTTP_PROBE_H
#define SLUICE_HTTP_PROBE_H

#include "base/err.h"

/* Asks /readyz of whoever listens at "host:port". pin: by HTTPS, of who has this key
 * (http/certificate.h), NULL: by HTTP; token may be NULL. 0 when the answer is 200, -EAGAIN with it
 * when it is another, -ENOTCONN when there is none, -ENOMEM. */
int http_probe_ready(const char *listen, const char *pin, const char *token,
                     struct err *err) warn_unused_result;

#endif
