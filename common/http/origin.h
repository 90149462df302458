/*
 * Where a request comes from, as far as a browser says so: for servers that a page of somebody else
 * must not use through the browser of who opens it.
 *
 * Two ways lead there. A page may send requests to any address, read no answer, and have done harm:
 * but its browser names the page's origin (RFC 6454), and whether the two are of one site. Or the
 * page's own name is made to resolve to this machine, so that its browser takes us for the page's
 * server (DNS rebinding): but it names that host (RFC 9110, 7.2), which is not one of ours.
 *
 * Whoever is no browser may say what they like; they could send the request by themselves.
 *
 * Threads: pure functions; no name is resolved.
 */
#ifndef SLUICE_HTTP_ORIGIN_H
#define SLUICE_HTTP_ORIGIN_H

#include <stdbool.h>

/* The headers Host, Origin and Sec-Fetch-Site, each NULL when it is not there. True when the
 * request comes from a page that this host has not served. Ports count. */
bool http_is_cross_origin(const char *host, const char *origin, const char *fetch_site);

/* True when a Host header names this machine by itself: localhost, a loopback address, or the host
 * of the address that is listened at. The port may be any, as of a tunnel. */
bool http_host_is_local(const char *host, const char *listen);

#endif
