/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd is told, by its datagram protocol (sd_notify(3)) and without its library.
 *
 * Without NOTIFY_SOCKET in the environment every call does nothing.  One thread calls: the main
 * one.
 */
#ifndef DP_SERVER_NOTIFY_H
#define DP_SERVER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment, so that no child speaks in our
 * name. A socket that cannot be reached is logged once; the daemon runs without it.
 */
void notify_open(void);
void notify_close(void);

void notify_ready(const char *status);
/* Before a reload; systemd 253 and newer wants the clock in the same datagram.  Then
 * notify_ready().
 */
void notify_reloading(void);
void notify_stopping(const char *status);
/* The stop takes longer: asks for so much more time. */
void notify_extend(uint64_t timeout_us);

/* Whether a sign of life is due: half of what the watchdog waits has passed. */
bool notify_watchdog_due(uint64_t now_ns);
void notify_watchdog(uint64_t now_ns);

#endif
