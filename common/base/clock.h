/*
 * Time. Durations and deadlines are monotonic nanoseconds (CLOCK_MONOTONIC), which no clock step
 * moves; due times and leases are Redis' own TIME, which all replicas share (worker/heartbeat).
 * The local wall clock is used for log lines only.
 *
 * A deadline is an absolute monotonic time; CLOCK_NEVER means without limit.
 */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS   INT64_C(1000000)
#define NS_PER_S    INT64_C(1000000000)
#define CLOCK_NEVER INT64_MAX

int64_t clock_now_ns(void);                     /* monotonic */
int64_t clock_coarse_ns(void);                  /* monotonic, to some milliseconds, cheaper */
int64_t clock_wall_us(void);                    /* Unix time, microseconds */
int64_t clock_deadline_ms(int64_t from_now_ms); /* < 0, or too far to count: CLOCK_NEVER */
struct timespec clock_timespec(int64_t ns);

/* Milliseconds left until the deadline for poll(): 0 when past, -1 for CLOCK_NEVER, rounded up. */
int clock_poll_ms(int64_t deadline_ns);

#endif
