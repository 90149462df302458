/*
 * What every test program shares: Check, and conditions instead of sleeps.
 */
#ifndef SLUICE_TESTS_SUPPORT_H
#define SLUICE_TESTS_SUPPORT_H

#include <check.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOW = 5 }; /* what a sanitizer costs */
#else
enum { SLOW = 1 };
#endif

/* Defined by each test_*.c. */
Suite *test_suite(void);

/* Waits until the expression is true; fails the test when that takes longer than ms. The time is
 * a bound against hanging, not a measurement: make it generous. */
#define wait_until(ms, expression)                                                                 \
    do {                                                                                           \
        int64_t wait_deadline = clock_deadline_ms(ms);                                             \
        while (!(expression)) {                                                                    \
            if (clock_now_ns() > wait_deadline)                                                    \
                ck_abort_msg("never became true: %s", #expression);                                \
            usleep(2000);                                                                          \
        }                                                                                          \
    } while (0)

#endif
