/*
 * From settings to connection options: the one place where the `redis:` section of conf/conf.h
 * meets redis/conn.h, for every process.
 */
#ifndef SLUICE_STORE_CONNECT_H
#define SLUICE_STORE_CONNECT_H

#include "conf/conf.h"
#include "redis/conn.h"

/* Fills options from conf; their strings borrow from conf and from *ret_storage (free() it last;
 * NULL when nothing was needed). name is for CLIENT SETNAME, borrowed. -EINVAL when the URL is
 * not understood, or TLS is asked for and this build cannot. */
int store_redis_options(const struct conf *conf, const char *name, struct redis_options *ret,
                        char **ret_storage, struct err *err) warn_unused_result;

/* The cap on strings in the replies that a worker gets (redis/bulk_cap.h): what one job may have,
 * or BULK_MAX_LEAST when that is more. A job up to max_payload is read; scripts return none above,
 * and what a blocking move brings above is refused. All else that a worker reads (INFO, one line
 * of CLIENT LIST, names, numbers) stays far below the least. */
enum { BULK_MAX_LEAST = 1 << 20 };
size_t store_bulk_max(const struct conf *conf);

#endif
