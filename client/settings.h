/*
 * Where a client goes and by what rules: the options, else the environment, else the defaults.
 *
 * The environment is read by the rows of conf/table.h, so that a variable means here what it means
 * to every program of Sluice. conf_load() is not used: it also reads files, and would link whoever
 * enqueues with libyaml.
 *
 * Threads: none. Ownership: settings_release() ends it, and accepts a zeroed one.
 */
#ifndef SLUICE_CLIENT_SETTINGS_H
#define SLUICE_CLIENT_SETTINGS_H

#include <sluice/client.h>

#include "conf/conf.h"
#include "redis/conn.h"

struct settings {
    struct conf conf; /* only the fields of the rows in settings.c, and owned here */
    struct redis_options redis;
    char *storage; /* of the strings in redis */
    int timeout_ms;
};

/* -EINVAL with what is wrong and what is allowed; -ENOMEM. On failure there is nothing to release.
 */
int settings_read(const struct sluice_client_options *options, struct settings *ret,
                  struct err *err) warn_unused_result;
void settings_release(struct settings *s);

/* Whether a struct that says it has `size` bytes may be read as one of `ours`: not older than the
 * first version, and what we do not know of it is not given. */
bool settings_size_ok(const void *given, size_t size, size_t first, size_t ours);

#endif
