/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: what a pool is made of.  pool.c builds it up and takes it down; buf.c serves from it.
 *
 * Everything but the counters and the layer's own insides is constant while the pool lives.
 */
#ifndef DP_POOL_POOL_STATE_H
#define DP_POOL_POOL_STATE_H

#include "pool/magazine.h"
#include "pool/pool_internal.h"
#include "pool/router.h"

struct dp_pool {
    router router;
    magazine_layer magazines;
    slab *slabs[DP_TIER_COUNT];
    dp_tier *tiers[DP_TIER_COUNT]; /* NULL: absent, infos[] says why */
    dp_tier_info infos[DP_TIER_COUNT];
    _Atomic uint64_t wrapped_live; /* buffers over memory that is not a slab's */
};

#endif
