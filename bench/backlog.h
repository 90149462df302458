/*
 * The backlog of a bench: jobs that are made alike and lie in a queue, or in the schedule, before
 * anybody works on them.
 *
 * Without `bytes` a job is what a client of Sidekiq's would send, about 200 bytes. With it, it is
 * the least that is a job, padded to exactly that size.
 *
 * Every failure ends the program with one line (lab.h).
 */
#ifndef SLUICE_BENCH_BACKLOG_H
#define SLUICE_BENCH_BACKLOG_H

#include "lab.h"

enum { BACKLOG_BYTES_MIN = 100 };

struct backlog {
    const char *queue;
    const char *klass;
    const char *args;   /* what is between the brackets; NULL: a number and some more */
    const char *fields; /* more of them, each with a comma behind it; NULL: none */
    int bytes;          /* of a job, at least BACKLOG_BYTES_MIN; 0: see above */
};

/* Pushes n more. */
void backlog_push(struct lab *lab, const struct backlog *b, int64_t n);
/* The same into the schedule, due at Redis' time + in_s. */
void backlog_schedule(struct lab *lab, const struct backlog *b, int64_t n, double in_s);

#endif
