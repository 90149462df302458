/*
 * One line for each request that has ended, and counts of them by their status.
 *
 * The line has the path and not the query, and no headers: what may be secret is not in it.
 *
 * Threads: safe from any.
 */
#ifndef SLUICE_API_ACCESS_LOG_H
#define SLUICE_API_ACCESS_LOG_H

#include "base/histogram.h"
#include "http/server.h"

enum { TRAFFIC_CLASSES = 6 }; /* by the first digit of the status; 0: the client was gone */

struct traffic {
    struct histogram duration[TRAFFIC_CLASSES]; /* from the head to the end of the answer */
};

/* For http_server_options; ctx is a struct api. */
void access_log_ended(void *ctx, const struct http_exchange *x, size_t bytes, bool sent);

#endif
