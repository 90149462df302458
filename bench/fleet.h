/*
 * The fleet of a bench: replicas of one worker, which are held back together while work is laid
 * out, and let go together.
 *
 * Held back is quiet by an order, without a job, and with no blocking wait left at Redis: what is
 * pushed then stays where it is. Every failure ends the program with one line (lab.h).
 */
#ifndef SLUICE_BENCH_FLEET_H
#define SLUICE_BENCH_FLEET_H

#include "lab.h"

enum { FLEET_MAX = 64 };

struct fleet {
    struct lab *lab;
    pid_t pids[FLEET_MAX];
    int n;
};

/* Returns when all of them take jobs and orders. yaml: as lab_worker(). */
void fleet_start(struct fleet *f, struct lab *lab, int n, const char *yaml);
void fleet_hold(struct fleet *f);
void fleet_go(struct fleet *f);
/* Waits until stat:processed has come that far; returns what it is then. */
int64_t fleet_wait_processed(struct fleet *f, int64_t jobs);
void fleet_stop(struct fleet *f);

#endif
