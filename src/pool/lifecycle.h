/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: what a pool keeps for the watch over its buffers; lifecycle.c explains how it works.
 */
#ifndef DP_POOL_LIFECYCLE_H
#define DP_POOL_LIFECYCLE_H

#include <stdatomic.h>

#include "pool/lease.h"

/* The bit of dp_buf.epoch that says: not watched.  The pool's epoch counts below it. */
#define LIFE_LONG ((uint32_t)1 << 31)

/* Epochs whose end is remembered, and how short one can be: together longer than any lease. */
#define LIFE_EPOCHS       2048u
#define LIFE_EPOCH_NS_MIN UINT64_C(250000000)

typedef struct life {
    lease_table leases;
    atomic_bool scanning; /* whoever set it has the rest */
    bool under_way;       /* a scan is to be gone on with at: */
    unsigned tier;        /* DP_TIER_COUNT: at the leases */
    size_t slot;
    uint64_t ended_ns[LIFE_EPOCHS]; /* epoch e at e % LIFE_EPOCHS */
} life;

void life_init(life *self);
void life_destroy(life *self);

#endif
