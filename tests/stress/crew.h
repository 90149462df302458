/*
 * The crew: some workers of different lots.
 *
 * Members 0 and 1 are lasting: no fault ends them, so their memory and descriptors can be judged.
 * The others are killed, stopped and replaced. Every second one reaches Redis through the proxy.
 *
 * Nothing here waits for a worker to be ready: Redis may be away.
 */
#ifndef SLUICE_TESTS_STRESS_CREW_H
#define SLUICE_TESTS_STRESS_CREW_H

#include <stdbool.h>
#include <stddef.h>

#include "support/worker_process.h"

struct soak;

enum { CREW_MIN = 3, CREW_MAX = 16, CREW_LASTING = 2, CREW_THREADS = 10 };

struct member {
    struct worker_process process;
    bool proxied;
    bool in_trouble; /* a fault is at it: its end is no surprise */
};

struct crew {
    struct member member[CREW_MAX];
    int n;
};

extern const double crew_lease_s;

void crew_init(struct soak *s);
void crew_start(struct soak *s, int i); /* the first time, or again */
void crew_kill(struct soak *s, int i);
/* Complains about members that have ended although no fault was at them. */
void crew_step(struct soak *s);
void crew_stop(struct soak *s); /* all, in order; complains about those that do not end well */
void crew_release(struct soak *s);

/* Its name; "" as long as it has not said it. */
const char *crew_identity(struct soak *s, int i);

/* Payloads in its claims, as Redis has them: calls see() for each. False without an answer. */
bool crew_claimed(struct soak *s, const char *identity, void (*see)(void *ctx, const char *payload),
                  void *ctx);

/* How many jobs might run again when this member is taken for dead now: those that Redis counts as
 * its own, and those that it begins before it notices; without an answer a whole claim. */
size_t crew_at_stake(struct soak *s, int i);

#endif
