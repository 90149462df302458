/*
 * Another job system in the laboratory: its own client fills a backlog of no-op jobs as ours have,
 * its own workers drain it, on the same Redis as ours, and they are measured from outside.
 *
 * A peer is a program of bench/peer/ and two of its commands: `fill JOBS` pushes a backlog and
 * ends, `work` is a worker until it is told to stop. Where Redis is, BENCH_SOCKET tells them. The
 * workers start with the backlog there, and what is measured begins when a tenth of it is done: how
 * long interpreters take to start is not the question.
 *
 * What they print goes to a log in the build folder. They die with the bench, unless that is killed
 * (SIGKILL).
 *
 * Threads: one.
 */
#ifndef SLUICE_BENCH_PEER_H
#define SLUICE_BENCH_PEER_H

#include <stdbool.h>

#include "lab.h"

/* A command of Redis and the key that it counts. */
struct peer_count {
    const char *command, *key;
};

struct peer {
    const char *key;     /* of the figures' names */
    const char *name;    /* for people */
    bool safe;           /* a job whose process is killed is still in Redis, and is run again */
    int processes;       /* workers */
    const char *fill[8]; /* the command; how many jobs is added */
    const char *work[12];
    struct peer_count left[2]; /* their sum: jobs that are not done */
    struct peer_count failed;  /* there must be none */
};

struct peer_drain {
    double per_s;
    double redis_us; /* of Redis' processor, per job */
    int64_t rss_kb;  /* of all workers together, at the end */
};

/* False when it cannot be run, mostly since it is not installed, or does not come to an end, or
 * jobs of it fail: the log says why. What others do is no failure of ours. */
bool peer_drain(struct lab *lab, const struct peer *p, int jobs, struct peer_drain *ret);

/* The same echo as that of warm processes. */
extern const struct peer peer_celery;

#define PEER_LOG          BENCH_BUILD_DIR "/bench/peers.log"
#define PEER_SCRIPT(name) BENCH_SOURCE_DIR "/bench/peer/" name

#endif
