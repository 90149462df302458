/* What a test and the program whose disk it spoils have in common: disk.c. */
#ifndef SLUICE_TESTS_DISK_H
#define SLUICE_TESTS_DISK_H

#include <stdatomic.h>
#include <stdint.h>

#define DISK_LIBRARY TEST_BINARY_DIR "/tests/disk.so"

enum disk_mode {
    DISK_HONEST, /* what was synced is there after a kill, and nothing else */
    DISK_LIES,   /* says that it has synced, and has not */
    DISK_FAILS,  /* cannot sync, and forgets what it should have */
    DISK_FULL,   /* takes a part of what is written */
};

struct disk {
    atomic_int mode;              /* enum disk_mode; the test writes it */
    atomic_int_fast64_t syncs;    /* of segments and of their folder … */
    atomic_int_fast64_t failures; /* … that failed, and writes for which there was no room */
};

#endif
