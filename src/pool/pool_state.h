/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: what a pool is made of.  pool.c builds it up and takes it down; buf.c serves from it.
 *
 * Everything but the counters, the short way's table and the parts' own insides is constant while
 * the pool lives.
 */
#ifndef DP_POOL_POOL_STATE_H
#define DP_POOL_POOL_STATE_H

#include "pool/fallback.h"
#include "pool/health.h"
#include "pool/lifecycle.h"
#include "pool/magazine.h"
#include "pool/movable.h"
#include "pool/observe.h"
#include "pool/pool_internal.h"
#include "pool/router.h"
#include "pool/stream_release.h"
#include "pool/tenant.h"

/* Classes that the short way covers: blocks up to 4 MiB, whatever the magazines keep of them. */
#define POOL_FAST_CLASSES   128u
#define POOL_FAST_BYTES_MAX ((size_t)4 << 20)

/*
 * An entry of the short way's table: how many bytes behind the first magazine of a thread's set the
 * one to take from lies, plus POOL_FAST_FALLBACK where it is not the tier that the rule names
 * first. 0, the magazine that is never filled: the long way.
 */
#define POOL_FAST_FALLBACK 1u

struct dp_pool {
    magazine_layer magazines;
    observer observer;
    _Atomic uint32_t epoch; /* counts up from time to time; a buffer keeps the one it was got in */
    size_t alignment_bytes[DP_TIER_COUNT];
    slab *slabs[DP_TIER_COUNT];
    dp_tier *tiers[DP_TIER_COUNT]; /* NULL: absent, infos[] says why */
    dp_tier_info infos[DP_TIER_COUNT];
    stream_release streams;
    _Atomic uint64_t wrapped_live; /* buffers over memory that is not a slab's */
    movable_layer movables;
    router router;
    _Atomic uint32_t fast[ROUTER_ROWS][POOL_FAST_CLASSES];
    life life;
    uint32_t fast_home[ROUTER_ROWS][POOL_FAST_CLASSES]; /* what it says while all is well */
    health health;
    fallback fallback;
    tenants tenants;
};

/*
 * Makes the short way's table say what is so now: each entry what it said at the start, but the
 * long way where the tier's health, or a recording, wants to see every get.  Gets under way are not
 * waited for.
 */
void pool_fast_follow(dp_pool *pool);
/* The part of it that leads to one tier; under the health's lock. */
void pool_fast_apply(dp_pool *pool, dp_tier_id tier);

/* The class that serves a request in that tier. */
static inline unsigned pool_class_of(const dp_pool *pool, unsigned tier, size_t size_bytes)
{
    return size_class_of(os_align_up(size_bytes, pool->alignment_bytes[tier]));
}

#endif
