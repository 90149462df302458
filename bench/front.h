/*
 * sluice-api in the laboratory: the process as it is installed, in front of the laboratory's Redis,
 * with its log in a file (a line for each request is part of what a request costs).
 */
#ifndef SLUICE_BENCH_FRONT_H
#define SLUICE_BENCH_FRONT_H

#include "lab.h"

struct front {
    pid_t pid;
    int port; /* of 127.0.0.1 */
};

/* Returns when it serves; yaml is appended to its settings. */
void front_open(struct front *f, struct lab *lab, const char *yaml);
/* Fails when it does not end well. */
void front_close(struct front *f);

/* Any program that serves HTTP on a port: argv is NULL-terminated; log: where its stderr goes. */
pid_t front_spawn(char *const *argv, const char *log, int port);
/* A connection to a port of 127.0.0.1; -1 when nobody listens. */
int front_dial(int port);

#endif
