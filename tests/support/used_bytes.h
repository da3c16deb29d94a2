/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a pool is still held: the question that ends a test for leaks.
 */
#ifndef DP_TESTS_USED_BYTES_H
#define DP_TESTS_USED_BYTES_H

#include <danpool/stats.h>

/* Bytes in buffers that somebody still holds, of all tiers. */
static inline uint64_t pool_used_bytes(dp_pool *pool)
{
    dp_stats stats;
    uint64_t used = 0;
    dp_stats_read(pool, &stats);
    for (int id = 0; id < DP_TIER_COUNT; id++) {
        used += stats.tiers[id].used_bytes;
    }
    return used;
}

#endif
