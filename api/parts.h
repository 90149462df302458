/*
 * What an API process is made of: for the files of this room alone.
 */
#ifndef SLUICE_API_PARTS_H
#define SLUICE_API_PARTS_H

#include <stdatomic.h>

#include "api/access_log.h"
#include "api/api.h"
#include "api/auth.h"
#include "api/clock.h"
#include "api/crew.h"
#include "api/hub.h"
#include "api/sampler.h"
#include "api/snapshot.h"
#include "api/spool.h"
#include "http/server.h"
#include "redis/pool.h"
#include "store/store.h"

/* The files that the settings name, if they do; again, when they have been replaced. */
int api_load_certificate(const struct conf *conf, struct err *err) warn_unused_result;

struct api {
    struct conf *conf;
    struct store *store;
    struct redis_pool *pool;
    struct auth auth;
    struct crew crew;
    struct redis_clock clock;
    struct snapshots snapshots;
    struct sampler sampler;
    struct traffic traffic;
    struct spool *spool;      /* NULL without one, and until it is opened */
    struct hub *hub;          /* NULL until it is started */
    struct http_server *http; /* NULL until it is started */
    atomic_bool stopping;
    atomic_uint_fast64_t enqueued; /* jobs */
    double born_at;                /* Unix time */
};

#endif
