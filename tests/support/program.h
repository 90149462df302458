/*
 * A program under test: started with arguments, environment and stdin, then watched from outside.
 *
 * Its outputs go to files in memory, so nothing can block on a full pipe, and what it has printed
 * so far can be read at any time. The environment is PATH, HOME and what the test gives: settings
 * of whoever runs the tests do not leak in. Each step fails the test when it cannot be done.
 *
 * Threads: one. Ownership: program_end() frees all; it kills what still runs.
 */
#ifndef SLUICE_TESTS_PROGRAM_H
#define SLUICE_TESTS_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/slice.h"

enum { PROGRAM_ENV_MAX = 8 };

struct program {
    const char *env[PROGRAM_ENV_MAX + 1]; /* "NAME=value", NULL-terminated; set before the start */
    struct slice input;                   /* its stdin */
    pid_t pid;
    bool ended;
    int out_fd, err_fd;
    char *out, *err; /* as of the last program_read(); NUL-terminated */
    size_t out_n, err_n;
};

/* argv is NULL-terminated; argv[0] is the path. */
void program_start(struct program *p, const char *const *argv);

/* Reads what it has printed so far into out and err. */
void program_read(struct program *p);

/* Whether it has ended; does not wait. */
bool program_ended(struct program *p, int *ret_status);

/* Waits for its end (60 s, then the test fails), reads the output, returns the exit status, or 128
 * and the signal. */
int program_wait(struct program *p);

void program_end(struct program *p);

#endif
