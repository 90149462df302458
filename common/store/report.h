/*
 * What a process reports of one job that it runs: an element of `<identity>:work`, Sidekiq's or
 * ours. Private to the store.
 *
 *     {"queue":"default","payload":"{\"class\":…}","run_at":1795478712}
 *
 * Sidekiqs of long ago have the payload as an object.
 *
 * Threads: pure functions. Whatever is not of this shape is read as empty.
 */
#ifndef SLUICE_STORE_REPORT_H
#define SLUICE_STORE_REPORT_H

#include "base/buf.h"

/* JSON texts, borrowed from the report or from `decoded`; empty: there is none. */
struct report {
    struct slice queue;      /* a string */
    struct slice job;        /* the payload when it is an object */
    struct slice jid, klass; /* its strings */
};

void report_read(struct slice text, struct buf *decoded, struct report *ret);

#endif
