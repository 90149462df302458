/*
 * Waiting for workers to drain: until those that were told to be quiet run nothing any more, or
 * those that were told to stop are gone.
 *
 * They are asked again and again (a ping). On a terminal a line tells how many jobs are left, and
 * about how long that takes by how it went so far; that is a guess, since nobody knows how long a
 * job will run. A lost connection is made anew.
 *
 * Threads: one. Errors: -ETIME when the time is over; -EALREADY when somebody resumed one of them.
 */
#ifndef SLUICE_CLI_DRAIN_H
#define SLUICE_CLI_DRAIN_H

#include "cli/orders.h"

struct drain {
    struct session *session;
    const struct told *who; /* those that obeyed are waited for */
    bool stops;             /* until they are gone, else until they are idle */
    int64_t timeout_ms;     /* 0: as long as it takes */
};
int drain_wait(const struct drain *d, struct err *err) warn_unused_result;

/* Seconds until nothing is left, when `left` of `first` jobs are after so many; < 0: unknown. */
double drain_guess_s(int64_t first, int64_t left, double after_s);

#endif
