/*
 * The load: jobs of every kind that Sluice has, mixed by weight, in three queues of strict order.
 *
 * The rate is bounded, and so is the number of jobs that wait: a slow machine, or an outage, makes
 * the load smaller, never the backlog larger. A push without an answer is noted as attempted and is
 * not sent again, since it may have arrived.
 */
#ifndef SLUICE_TESTS_STRESS_LOAD_H
#define SLUICE_TESTS_STRESS_LOAD_H

#include <stdint.h>

#include "redis/conn.h"
#include "support/dice.h"

struct soak;

struct load {
    struct dice dice;
    struct redis_conn *conn; /* its own, as pushes wait shorter than looks */
    int64_t next_ns;         /* when the next job is due */
    uint64_t refused;        /* pushes without an acknowledgement */
};

#define LOAD_QUEUES "[critical, default, low]"

void load_init(struct soak *s);
void load_step(struct soak *s); /* pushes what is due */
void load_release(struct soak *s);

#endif
