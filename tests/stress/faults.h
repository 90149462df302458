/*
 * The table of faults.
 *
 * To add one: write begin() (inject it), keep() if it must go on doing something, end() if there is
 * something to undo, and a row in faults.c. Set trouble->bit as soon as it is *seen* that the fault
 * did happen (a counter, a signal's status, an error), never because it was ordered; a kind that
 * has not bitten in the whole run makes the run a failure. All random choices come from
 * trouble->dice.
 *
 * Faults at one place exclude each other, and so do two at one worker; all others may overlap. What
 * a fault may cause to run twice it adds to soak->allowed.
 */
#ifndef SLUICE_TESTS_STRESS_FAULTS_H
#define SLUICE_TESTS_STRESS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "support/dice.h"

struct soak;

enum place { AT_WORKER, AT_LINK, AT_REDIS };

/* One fault under way. */
struct trouble {
    const struct fault *fault;
    struct dice dice;
    int64_t lasts_ms;
    int victim;       /* AT_WORKER: number of a member */
    int64_t due_ns;   /* when end() is called */
    int64_t again_ns; /* keep(): when it has to do something next */
    uint64_t before;  /* a counter at the beginning */
    bool bit;
    bool disturbed; /* by another fault */
};

struct fault {
    const char *name;
    enum place place;
    unsigned weight;
    int64_t shortest_ms, longest_ms;
    bool takes_lasting; /* AT_WORKER: members that are never ended may be its victims, too */
    void (*begin)(struct soak *s, struct trouble *t);
    void (*keep)(struct soak *s, struct trouble *t); /* in every step until it is due; or NULL */
    bool (*end)(struct soak *s, struct trouble *t);  /* called until true; or NULL */
};

extern const struct fault faults[];
extern const int nfaults;

#endif
