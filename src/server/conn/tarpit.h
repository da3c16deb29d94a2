/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that were accepted and are answered later: how a storm of reconnects is slowed down.
 *
 * Clients that are refused come back at once whatever the reason, those that are kept waiting do
 * not.  A parked connection is a descriptor and a time, nothing is read of it; the places are
 * bounded, and who finds none is hung up on.  Belongs to one loop's thread; time is passed in.
 */
#ifndef DP_SERVER_CONN_TARPIT_H
#define DP_SERVER_CONN_TARPIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARPIT_PLACES 4096u

typedef struct tarpit_place {
    uint64_t at_ns;
    int fd;
} tarpit_place;

/* Zeroed at the start; the places are taken from the system with the first connection. */
typedef struct tarpit {
    tarpit_place *places;
    size_t count;
} tarpit;

/* Parks `fd` until at_ns; false, and the descriptor stays the caller's: there is no place. */
bool tarpit_park(tarpit *in, int fd, uint64_t at_ns);

/* Takes one out whose time has come; -1 = none. */
int tarpit_take(tarpit *from, uint64_t now_ns);

/* Closes what is parked. */
void tarpit_close(tarpit *all);

#endif
