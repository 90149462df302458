/*
 * Inside of the process handler: visible so that tests can shorten what a user cannot set.
 */
#ifndef SLUICE_WORKER_HANDLERS_PROCESS_H
#define SLUICE_WORKER_HANDLERS_PROCESS_H

#include "handlers/environment.h"
#include "handlers/handler.h"
#include "handlers/process_pool.h"
#include "handlers/watch.h"

struct process_handler {
    struct handler base;
    struct environment environment;
    struct watch_limits limits;
    struct process_pool *pool;
};

#endif
