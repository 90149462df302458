/*
 * Inside of the exec handler: visible so that tests can shorten what a user cannot set.
 */
#ifndef SLUICE_WORKER_HANDLERS_EXEC_H
#define SLUICE_WORKER_HANDLERS_EXEC_H

#include "handlers/environment.h"
#include "handlers/handler.h"
#include "handlers/watch.h"

struct exec_handler {
    struct handler base;
    struct environment environment;
    struct watch_limits limits;
};

#endif
