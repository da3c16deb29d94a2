/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much one sender may: messages of a user, an address and a room, connections of an address,
 * and the delay that a storm of reconnects meets.
 *
 * A bucket is one number, the time at which it will be full again (the "virtual scheduling" form of
 * the generic cell rate algorithm, ITU-T I.371).  So one that is full says nothing and gives its
 * place away first: the table is bounded, and who floods it with keys only evicts himself.
 * Thread safe; a lock is one set of seven buckets.  Time is passed in, so that tests move the
 * clock.
 */
#ifndef DP_SERVER_GATE_LIMITS_H
#define DP_SERVER_GATE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#include "server/gate/identity.h"

typedef struct limits_table limits_table;

typedef enum limits_kind {
    LIMITS_USER,
    LIMITS_ADDRESS,
    LIMITS_ROOM,
    LIMITS_CONNECT,
    LIMITS_KIND_COUNT
} limits_kind;

/* per_s 0 = no limit; burst is at least 1. */
typedef struct limits_rate {
    uint32_t per_s, burst;
} limits_rate;

typedef struct limits_config {
    limits_rate rates[LIMITS_KIND_COUNT];
    uint32_t tarpit_ms_max;           /* the longest delay of a connection */
    uint32_t address_connections_max; /* 0 = no limit */
    size_t buckets_max;               /* rounded up to a power of two of sets */
    size_t connections_max;           /* of the server: bounds the addresses that are counted */
} limits_config;

/* DP_ERR_NOMEM. */
dp_status limits_create(const limits_config *config, limits_table **out);
void limits_destroy(limits_table *all);

/* Other rates from now on; tables keep their size.  Thread safe. */
void limits_configure(limits_table *all, const limits_config *config);

/*
 * Takes one from the bucket of `key` (identity_key(), identity_hash() of a room's name).  False:
 * it is empty, *retry_ms says when there will be one.  `own_per_s`: a rate in place of the
 * configured one, with a burst of two seconds; 0 = none.
 */
bool limits_take(limits_table *all, limits_kind kind, uint64_t key, uint32_t own_per_s,
                 uint64_t now_ns, uint32_t *retry_ms);

/*
 * How long a new connection of this address has to wait before it is answered.  0 for the first
 * `burst`, then longer with each, so that the storm enters at `per_s`, up to tarpit_ms_max.
 */
uint32_t limits_tarpit_ms(limits_table *all, const identity_address *address, uint64_t now_ns);

/* Counts a connection of the address; false, and not counted, when it has as many as it may. */
bool limits_connect(limits_table *all, const identity_address *address);
/* For each limits_connect() that was true. */
void limits_disconnect(limits_table *all, const identity_address *address);

#endif
