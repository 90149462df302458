/*
 * A listening TCP socket from "host:port" or "[address]:port".
 *
 * We bind it ourselves instead of leaving that to the HTTP library, which only says that it could
 * not: a person needs the address and the reason, and the socket must not leak into children.
 *
 * Blocking: the resolver, when the host is a name. Errors: the errno of the call that failed, with
 * the address and the reason in err; -EADDRNOTAVAIL when the name does not resolve.
 */
#ifndef SLUICE_HTTP_LISTEN_H
#define SLUICE_HTTP_LISTEN_H

#include <stdbool.h>

#include "base/err.h"

enum { HTTP_HOST_MAX = 256 };

/* Its two parts; the port is one of the address'. -EINVAL. */
int http_split_address(const char *address, char ret_host[HTTP_HOST_MAX],
                       const char **ret_port) warn_unused_result;

/* The socket does not block and closes on exec. *ret_loopback: only this machine can reach it. */
int http_listen(const char *address, int *ret_fd, bool *ret_loopback,
                struct err *err) warn_unused_result;

/* Of an in_addr or in6_addr. */
bool http_address_is_loopback(int family, const void *address);

#endif
