/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of buffers, counters and the pool share: a pool over fake tiers whose counts stay
 * readable after it is gone.  Without health, so that a tier that fails is seen to fail.  Main
 * thread only, like cmocka, but for rig_get().
 */
#ifndef DP_TESTS_POOL_RIG_H
#define DP_TESTS_POOL_RIG_H

#include "cm.h"

#include <danpool/stats.h>

#include "fake_tier.h"
#include "pool/os.h"
#include "pool/pool_internal.h"

typedef struct pool_rig {
    fake_tier_counts counts[DP_TIER_COUNT];
    dp_pool *pool;
} pool_rig;

/* Tiers with bytes_max SIZE_MAX are absent, with 0 without limit. */
static inline void pool_rig_open(pool_rig *rig, const size_t bytes_max[DP_TIER_COUNT])
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.health.enabled = false;
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        fake_tier_plan plan = {
            .id = (dp_tier_id)id,
            .bytes_max = bytes_max[id],
            .device_only = id == DP_TIER_HBM,
            .alignment_bytes = id == DP_TIER_HOST ? 16 : 256,
        };
        if (bytes_max[id] != SIZE_MAX)
            assert_non_null(tiers[id] = fake_tier_open(&plan, &rig->counts[id]));
    }
    assert_int_equal(pool_create_over(&config, tiers, &rig->pool), DP_OK);
}

/* Host, pinned and hbm without limit. */
static inline void pool_rig_open_all(pool_rig *rig)
{
    static const size_t bytes_max[DP_TIER_COUNT] = {[DP_TIER_PMEM] = SIZE_MAX};
    pool_rig_open(rig, bytes_max);
}

static inline void pool_rig_close(pool_rig *rig)
{
    pool_check(rig->pool);
    dp_pool_destroy(rig->pool);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++)
        assert_int_equal(rig->counts[id].regions_out, 0);
}

/* NULL where dp_get() fails. */
static inline dp_buf *rig_get(dp_pool *pool, dp_kind kind, size_t size_bytes)
{
    dp_request request = {.size_bytes = size_bytes, .kind = (uint8_t)kind};
    dp_buf *buf = NULL;
    return dp_get(pool, &request, &buf) == DP_OK ? buf : NULL;
}

#endif
