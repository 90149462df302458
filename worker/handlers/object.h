/*
 * Loaded plugins: shared objects that speak the ABI of sluice/handler.h.
 *
 * A shared object is mapped once per process, however many handlers (and, across a reload,
 * registries) name it: dlopen() hands out the same mapping again. So init() and fini() belong to
 * the object and not to the handler: objects are counted, init() runs at the first open and fini()
 * at the last close. As the loader knows an object by its path, a plugin that was rebuilt in place
 * is picked up by a restart of the worker, not by a reload.
 *
 * Threads: open and close from any thread; they wait for each other, init() and fini() included.
 * Errors: -EINVAL, -ENOMEM; err names the file and the reason.
 */
#ifndef SLUICE_WORKER_HANDLERS_OBJECT_H
#define SLUICE_WORKER_HANDLERS_OBJECT_H

#include "base/err.h"
#include "sluice/handler.h"

struct object;

/* path holds a slash: it is a file, not a name to search for. */
int object_open(const char *path, struct object **ret, struct err *err) warn_unused_result;
void object_close(struct object *o);

/* Valid until the close. */
const struct sluice_plugin *object_plugin(const struct object *o);

#endif
