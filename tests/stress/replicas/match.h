/*
 * A match: the replicas and the large worker, with as many threads, permits and processors, do the
 * same number of jobs that do nothing, in turn, in the order fleet, large, large, fleet and so on:
 * so what else the machine has to do meets both, and only the ratio of a pair says something.
 *
 * Whoever is not playing is quiet. The time is that from the moment when the players may take jobs
 * to the last end in Redis.
 */
#ifndef SLUICE_TESTS_STRESS_REPLICAS_MATCH_H
#define SLUICE_TESTS_STRESS_REPLICAS_MATCH_H

struct fleet;

enum { MATCH_PAIRS_MAX = 256 };

struct match {
    int jobs;                      /* of each turn */
    double fleet[MATCH_PAIRS_MAX]; /* jobs per second */
    double large[MATCH_PAIRS_MAX];
    double ratio[MATCH_PAIRS_MAX];
    int n;
};

/* In peace, with nothing under way. */
void match_play(struct fleet *f, int jobs, int pairs);
/* Medians; 0 when none was played. */
struct match_result {
    double fleet, large, ratio;
};
struct match_result match_result(struct fleet *f);

#endif
