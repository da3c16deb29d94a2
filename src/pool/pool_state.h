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
#include "pool/stream_release.h"

struct dp_pool {
    router router;
    magazine_layer magazines;
    size_t alignment_bytes[DP_TIER_COUNT];
    slab *slabs[DP_TIER_COUNT];
    dp_tier *tiers[DP_TIER_COUNT]; /* NULL: absent, infos[] says why */
    dp_tier_info infos[DP_TIER_COUNT];
    stream_release streams;
    _Atomic uint64_t wrapped_live; /* buffers over memory that is not a slab's */
};

/* The class that serves a request in that tier. */
static inline unsigned pool_class_of(const dp_pool *pool, unsigned tier, size_t size_bytes)
{
    return size_class_of(os_align_up(size_bytes, pool->alignment_bytes[tier]));
}

#endif
