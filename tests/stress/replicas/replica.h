/*
 * The replicas, each in its namespace, and the large worker that has as many threads as all of
 * them, which is quiet except in a match.
 *
 * Measured here, as it concerns one of them: how long a killed one stays in the books; how long one
 * that was cut off beyond its lease needs to hold a lease again, from the moment when its cable is
 * back; how long a new one needs to hold its first.
 */
#ifndef SLUICE_TESTS_STRESS_REPLICAS_REPLICA_H
#define SLUICE_TESTS_STRESS_REPLICAS_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "support/worker_process.h"

#include "../times.h"
#include "net.h"

struct fleet;

enum { REPLICAS_MAX = NET_MAX - 1, PERMITS = 8, RESERVED = 3, POOL = PERMITS + RESERVED };

enum replica_state { REPLICA_DOWN, REPLICA_UP, REPLICA_STOPPING };

struct replica {
    struct worker_process process;
    enum replica_state state;
    int64_t start_ns;   /* when one that is down starts again */
    int64_t stop_ns;    /* when one that stops was told to */
    bool cut;           /* its cable is pulled … */
    int64_t plug_ns;    /* … until then */
    int64_t cut_end_ns; /* of the last time; 0: never */
    bool troubled;      /* it was cut off since it was told to stop */
    int64_t since_ns;   /* waits for a lease since then; 0: it does not … */
    bool is_new;        /* … for its first one */
};

enum { DEAD_MAX = 64 };
struct dead {
    char identity[384]; /* "": free */
    int64_t killed_ns;
};

struct replicas {
    struct replica one[NET_MAX]; /* by place; the large worker has the last */
    int n;
    struct dead dead[DEAD_MAX];
    struct times buried, back, born;
    unsigned starts, stops, kills, cuts, long_cuts;
    int64_t look_ns;
};

void replicas_open(struct fleet *f);  /* starts all, and waits until they are at work */
void replicas_step(struct fleet *f);  /* ends, starts, cables that are due; the times */
void replicas_close(struct fleet *f); /* kills what is left */

/* Up, and not cut off. */
int replicas_reached(const struct fleet *f);
/* Nobody of the dead is in the books any more, and everybody is up, not cut off and has a lease. */
bool replicas_are_well(const struct fleet *f);

void replica_stop(struct fleet *f, int i);                     /* SIGTERM */
void replica_start_in(struct fleet *f, int i, int64_t ms);     /* one that is down, or will be */
void replica_kill(struct fleet *f, int i, int64_t back_in_ms); /* SIGKILL */
void replica_cut(struct fleet *f, int i, int64_t ms);          /* one that is not */

/* Takes no new jobs, or does again; returns when Redis knows. */
void replica_set_quiet(struct fleet *f, int i, bool quiet);

/* Stops all in order; complains about who does not. */
void replicas_stop(struct fleet *f);

#endif
