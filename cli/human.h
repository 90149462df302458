/*
 * Figures as people read them.
 */
#ifndef SLUICE_CLI_HUMAN_H
#define SLUICE_CLI_HUMAN_H

#include <stdint.h>

enum { HUMAN_TEXT = 32 };

/* "1,234,567". */
const char *human_count(int64_t n, char ret[HUMAN_TEXT]);

/* "24 MB" from KB. */
const char *human_kb(int64_t kb, char ret[HUMAN_TEXT]);

#endif
