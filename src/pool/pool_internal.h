/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cache.c (rung 4) needs of the pool below it, and tests need to plant their own tiers.
 */
#ifndef DP_POOL_POOL_INTERNAL_H
#define DP_POOL_POOL_INTERNAL_H

#include <danpool/pool.h>

#include "pool/tier.h"

/* The opened tier, NULL when it is absent.  Lives as long as the pool. */
dp_tier *pool_tier(dp_pool *pool, dp_tier_id id);

/* Where the pool's slow paths tell what they do; as long as the pool. */
struct observer *pool_observer(dp_pool *pool);

/* Called when the last reference to a wrapped buffer goes, on the thread that put it. */
typedef void buf_release(void *user, uint64_t cookie);

/*
 * Makes a buffer over memory that is held already (a pmem object served in place, a share's block).
 * The block is not the slab's: `release` gets it back.
 */
typedef struct buf_wrap_args {
    dp_tier_id tier;
    dp_kind kind;
    tier_region region;
    size_t size_bytes;
    bool writable; /* (optional) by its only holder */
    void *place;   /* (optional) 192 bytes for the descriptor in what `release` gives back */
    buf_release *release;
    void *user;
    uint64_t cookie;
} buf_wrap_args;

dp_status buf_wrap(dp_pool *pool, const buf_wrap_args *args, dp_buf **out);

/* The pool that a held buffer belongs to. */
dp_pool *buf_pool(const dp_buf *buf);

/*
 * As dp_get(), from that tier and no other, whatever the rules say.  DP_ERR_UNSUPPORTED when it is
 * absent or hands out no memory.
 */
dp_status buf_get_in(dp_pool *pool, dp_tier_id tier, const dp_request *request, dp_buf **out);

/*
 * Copies between buffers in any tiers, counted in bytes_copied; from device to device through a
 * bounded block of host memory.  Both are held by the caller.
 */
dp_status buf_copy(dp_buf *to, dp_buf *from, size_t size_bytes);

/* How many references are held; exact only for the only holder.  For evict: 1 = the cache's own. */
uint32_t buf_references(const dp_buf *buf);

/*
 * As dp_pool_create, over tiers that the caller opened (tests: fakes, decorators); an entry may be
 * NULL for "absent".  The pool takes them over, also on failure.
 */
dp_status pool_create_over(const dp_pool_config *config, dp_tier *tiers[DP_TIER_COUNT],
                           dp_pool **out);

/* DP_OK, or why dp_get() would refuse the request whatever the tiers hold. */
dp_status buf_request_check(const dp_request *request);

/*
 * For tests, while no other thread is in a call: walks every slab and magazine and asserts that
 * each free block is in one place once, and that blocks out = buffers held + blocks at rest.
 */
void pool_check(dp_pool *pool);

#endif
