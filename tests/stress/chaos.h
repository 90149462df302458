/*
 * Chaos: which fault comes when, decided by the seed.
 *
 * Time is a row of rounds. A round is one fault, or (every second time) two that overlap: the
 * second begins at a random moment of the first, at another place. Then comes a rest, mostly short,
 * at times long enough for everything that was lost to be recovered in peace. The throws of round n
 * depend on the seed and n alone.
 *
 * The first rounds go through all chosen kinds in random order, the later ones draw by weight. When
 * the time is over and a kind has not bitten yet, it alone is tried again for a while: a fault that
 * did not happen must not count as one that was survived.
 */
#ifndef SLUICE_TESTS_STRESS_CHAOS_H
#define SLUICE_TESTS_STRESS_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

#include "faults.h"

struct soak;

enum { CHAOS_KINDS_MAX = 32, CHAOS_PAIR = 2 };

enum trouble_state { TROUBLE_NONE, TROUBLE_PLANNED, TROUBLE_ON };

struct chaos {
    int kind[CHAOS_KINDS_MAX]; /* chosen ones, shuffled */
    int nkinds;
    uint64_t round;
    struct trouble trouble[CHAOS_PAIR];
    enum trouble_state state[CHAOS_PAIR];
    int64_t begins_ns[CHAOS_PAIR]; /* of planned ones */
    int64_t rest_ms, rest_until_ns;
    bool ending; /* only what has not bitten yet, and alone */
    unsigned injected[CHAOS_KINDS_MAX], bit[CHAOS_KINDS_MAX]; /* by row of the table */
    unsigned pairs;
};

/* names: with commas between, NULL: all. False, with a line on stderr, when one is unknown. */
bool chaos_choose(struct chaos *c, const char *names);
void chaos_init(struct soak *s);
void chaos_step(struct soak *s);

/* No new rounds but for kinds that have not bitten. True when all of them have, and nothing is
 * under way. */
bool chaos_is_over(struct soak *s);
/* Ends what is under way, and waits for that. */
void chaos_end(struct soak *s);
/* Faults under way; and those that are not of one kind. */
int chaos_count(const struct soak *s);
int chaos_count_but(const struct soak *s, const char *name);
int chaos_bitten(const struct soak *s); /* kinds */

#endif
