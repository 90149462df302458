/*
 * What tests of the gate share, beside what they share with all tests against a real Redis
 * (support/redis_fixture.h).
 */
#ifndef SLUICE_TESTS_POOL_FIXTURE_H
#define SLUICE_TESTS_POOL_FIXTURE_H

#include "redis/pool.h"

struct redis_pool *must_pool(const struct redis_pool_options *o);

/* Fails the test when only a hang can have kept it from a connection. */
struct redis_conn *must_take(struct redis_pool *pool);

struct redis_pool_stats pool_stats(struct redis_pool *pool);

#endif
