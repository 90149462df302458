/*
 * The registry: which handler runs a class. Settings list handlers in order; the first whose
 * `class` matches wins: exact text, or a glob with `*`, `?` and `[…]` (fnmatch(3)).
 *
 * A registry is immutable once opened, so lookups take no lock. A reload (SIGHUP) opens a new one
 * and swaps it in; runs that use the old keep it alive by reference count. Until those have ended
 * there are two of everything: of warm processes, and of what max_concurrency counts.
 *
 * Threads: lookup from any thread; open/unref from any thread, the last unref closes the handlers
 * (plugins' fini, the end of warm processes) on its thread.
 */
#ifndef SLUICE_WORKER_HANDLERS_REGISTRY_H
#define SLUICE_WORKER_HANDLERS_REGISTRY_H

#include "base/err.h"
#include "conf/conf.h"
#include "handlers/handler.h"

struct registry;

/* Opens every handler of the settings, which it keeps a reference to. On failure none stays open
 * and err reads "FILE:LINE: what is wrong". */
int registry_open(struct conf *conf, struct registry **ret, struct err *err) warn_unused_result;

/* Starts what has to run before jobs come: warm processes. Once, before the first run. */
int registry_warm(struct registry *r, struct err *err) warn_unused_result;

struct registry *registry_ref(struct registry *r);
void registry_unref(struct registry *r); /* accepts NULL */

/* The settings that it was opened from. Valid while the caller holds a reference. */
struct conf *registry_conf(struct registry *r);

/* NULL when no handler matches. Valid while the caller holds a reference. */
struct handler *registry_find(struct registry *r, const char *klass);

#endif
