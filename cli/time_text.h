/*
 * Durations and times as people write and read them.
 *
 * Written: seconds ("90", "1.5") or numbers with units in falling order ("10s", "1h30m", "2d"); a
 * time is Unix seconds or RFC 3339 with its zone. A time without a zone is refused: whose zone it
 * would be in is a guess. Read: two units at most, since nobody reads a third.
 *
 * Threads: pure functions. Errors: -EINVAL with what is allowed.
 */
#ifndef SLUICE_CLI_TIME_TEXT_H
#define SLUICE_CLI_TIME_TEXT_H

#include "base/err.h"

/* 0 .. a hundred years. */
int duration_parse(const char *text, double *ret_s, struct err *err) warn_unused_result;

/* Unix seconds, within the years 1970 to 9999. */
int time_parse(const char *text, double *ret_unix, struct err *err) warn_unused_result;

/* "0.3 ms", "12 ms", "1.5s", "3m 12s", "2h 5m", "3d 4h". */
enum { DURATION_TEXT = 32 };
const char *duration_text(double seconds, char ret[DURATION_TEXT]);

#endif
