/*
 * Those parts of every manual page that come from the table of settings.
 *
 * Threads: pure. Errors: those of the buffer.
 */
#ifndef SLUICE_CONF_MANUAL_H
#define SLUICE_CONF_MANUAL_H

#include "conf/conf.h"

/* SETTINGS: each that the program reads, with its variable, flag, range and default. */
void manual_put_settings(enum conf_program program, struct buf *out);

/* EXIT STATUS and SEE ALSO. */
void manual_put_ends(struct buf *out);

#endif
