/*
 * The fleet: many replicas, each alone on its machine as far as the network is concerned, against
 * one Redis; they come and go, are cut off and killed, under load. What a large worker would do
 * with the same threads is measured beside them.
 *
 *   net       the network: a bridge, namespaces, cables                       net.h
 *   replica   one worker in its namespace: started, stopped, killed, cut off  replica.h
 *   turmoil   decides from the seed what happens when                         turmoil.h
 *   watch     connections at the server, jobs per replica                     watch.h
 *   match     the replicas and the large worker in turn: jobs per second      match.h
 *
 * The run: how jobs are shared out in peace; then, as often as there is time for, a match and some
 * minutes of turmoil, after which every job has to end; then a last match.
 *
 * One thread drives all of it in small steps. What went wrong is collected and told at the end.
 * Every decision follows from the printed seed.
 */
#ifndef SLUICE_TESTS_STRESS_REPLICAS_FLEET_H
#define SLUICE_TESTS_STRESS_REPLICAS_FLEET_H

#include "support/dice.h"
#include "support/oracle.h"

#include "match.h"
#include "net.h"
#include "replica.h"
#include "turmoil.h"
#include "watch.h"

struct fleet_options {
    double minutes; /* of turmoil and matches */
    uint64_t seed;
    int replicas;
    int threads; /* of each */
    int rate;    /* jobs per second at most */
};

struct fleet {
    struct fleet_options options;
    struct net net;
    struct redis_server server;
    struct redis_conn *redis; /* straight to the server */
    struct oracle oracle;
    struct replicas replicas;
    struct turmoil turmoil;
    struct watch watch;
    struct match match;
    struct dice load_dice;
    int64_t push_ns; /* when the next job is due */
    size_t allowed;  /* repetitions, by what was taken away from replicas */
    int complaints;
};

/* Something is wrong: printed now, and the end of the run is a failure. */
void fleet_complain(struct fleet *f, const char *fmt, ...) printf_like(2, 3);

/* A step of everything that goes on by itself; with new jobs, when they are due, or without. */
void fleet_step(struct fleet *f, bool load);
/* Every replica is up and reached, and every job has ended. */
void fleet_calm(struct fleet *f);

#endif
