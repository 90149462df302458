/*
 * How many clients a server has while something is measured, asked on a connection of its own.
 */
#ifndef SLUICE_BENCH_WATCH_H
#define SLUICE_BENCH_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "redis/conn.h"

struct watch {
    struct redis_conn *conn;
    pthread_t thread;
    atomic_bool stop;
    int peak; /* clients beside the watch itself */
};

/* Empties the server, and begins to ask every 2 ms. */
int watch_start(struct watch *watch, const struct redis_options *redis,
                struct err *err) warn_unused_result;

/* The most that there were. */
int watch_end(struct watch *watch);

#endif
