/*
 * systemd: readiness and watchdog by the sd_notify protocol (one datagram to $NOTIFY_SOCKET).
 * Written here because it is fifteen lines and a library would be a dependency for them.
 * Source: sd_notify(3), sd_watchdog_enabled(3).
 *
 * Threads: the main thread. All functions do nothing when not started by systemd.
 */
#ifndef SLUICE_BASE_SYSTEMD_H
#define SLUICE_BASE_SYSTEMD_H

#include <stdint.h>

void systemd_notify(const char *state); /* e.g. "READY=1\nSTATUS=working" */

/* That it is stopping, which may take so long: systemd then waits at least so long, also where
 * TimeoutStopSec of the unit is less. */
void systemd_stopping(double seconds);

/* The period in ms at which "WATCHDOG=1" is to be sent; 0 when no watchdog is asked for. */
int64_t systemd_watchdog_ms(void);

#endif
