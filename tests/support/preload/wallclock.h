/* What a test and the program whose wall clock it shifts have in common: wallclock.c. */
#ifndef SLUICE_TESTS_WALLCLOCK_H
#define SLUICE_TESTS_WALLCLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#define WALLCLOCK_LIBRARY TEST_BINARY_DIR "/tests/wallclock.so"

struct wallclock {
    atomic_int_fast64_t shift_s; /* added to the wall clock; the test writes it */
    atomic_int_fast64_t reads;   /* how often the program has read it */
};

#endif
