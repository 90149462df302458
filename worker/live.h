/*
 * The settings in force: a conf and the handlers opened from it, swapped as a pair by a reload.
 *
 * A user takes a reference for as long as it reads, so a reload never waits for running jobs, and
 * the old handlers close when the last job that uses them has ended.
 *
 * Threads: safe from any thread.
 */
#ifndef SLUICE_WORKER_LIVE_H
#define SLUICE_WORKER_LIVE_H

#include <stdint.h>

#include "base/thread.h"
#include "conf/conf.h"
#include "handlers/registry.h"

struct live {
    struct mutex mutex;
    /* guards: all below */
    struct conf *conf;
    struct registry *registry;
    uint64_t version; /* counts swaps */
};

/* Takes both references over. */
void live_init(struct live *l, struct conf *conf, struct registry *registry);
void live_release(struct live *l);
void live_swap(struct live *l, struct conf *conf, struct registry *registry);

int64_t live_max_payload(struct live *l);
struct conf *live_conf(struct live *l, uint64_t *ret_version); /* conf_unref() it */
struct registry *live_registry(struct live *l);                /* registry_unref() it */

#endif
