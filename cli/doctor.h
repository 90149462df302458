/*
 * `sluice doctor`: a list of statements about the server, the settings and the fleet, each with a
 * level, one sentence, and what to do when it is not "ok".
 *
 *   doctor_server.c    Redis: version, persistence, memory, connections, latency, rights …
 *   doctor_settings.c  the worker's settings against themselves and this machine
 *   doctor_fleet.c     live workers, and queues against who serves them
 *
 * A part says everything that it looked at, so that what is fine is known to be so. What a managed
 * Redis does not tell is "unseen", which is no fault.
 *
 * Threads: one. Ownership: statements are printed, or kept as JSON text, as they are made.
 */
#ifndef SLUICE_CLI_DOCTOR_H
#define SLUICE_CLI_DOCTOR_H

#include "cli/session.h"
#include "cli/terminal.h"
#include "store/inspect.h"
#include "store/server.h"

enum doctor_level { DOCTOR_OK, DOCTOR_UNSEEN, DOCTOR_WARNING, DOCTOR_PROBLEM, DOCTOR_LEVELS };

struct doctor {
    struct terminal terminal; /* of stdout */
    bool json;
    struct buf statements; /* JSON, when that is asked for */
    int count[DOCTOR_LEVELS];

    /* What the parts look at. */
    const struct conf *conf; /* as a worker would load it */
    const struct server_look *server;
    const struct queue_info *queues;
    size_t nqueues;
    const struct worker_info *workers; /* Sidekiq's processes, too */
    size_t nworkers;
};

/* name: a short constant name of what was looked at. remedy: what to do, as a sentence without a
 * full stop; NULL when there is nothing to do. */
void doctor_say(struct doctor *d, enum doctor_level level, const char *name, const char *remedy,
                const char *fmt, ...) printf_like(5, 6);

void doctor_server(struct doctor *d);
void doctor_settings(struct doctor *d);
void doctor_fleet(struct doctor *d);

/* Workers of Sluice that hold a lease. */
int doctor_live(const struct doctor *d);

#endif
