/*
 * Judging a request by its head, before its body is read and a thread is spent on it: is the
 * process stopping, does a page of somebody else ask through a browser, who asks, is there such a
 * path, such a method, may they, is the body of a kind that is taken. In this order, so that who
 * has no token learns nothing of what is served.
 *
 * Pages of others may read nothing of ours, since we allow it to none (there is no CORS header),
 * and may change nothing: http/origin.h. Without a token, nor may a page whose name resolves to us.
 *
 * Threads: on the server's; nothing here waits.
 */
#ifndef SLUICE_API_JUDGE_H
#define SLUICE_API_JUDGE_H

#include "http/server.h"

/* For http_server_options; ctx is a struct api. The exchange's mark becomes its route. */
bool judge_begin(void *ctx, struct http_exchange *x);
bool judge_handle(void *ctx, struct http_exchange *x);

#endif
