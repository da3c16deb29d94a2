/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: health and tenants as programs ask for them, and the short way's table that follows the
 * health.
 *
 * An entry of the table that leads to a tier which does not get the whole traffic is 0, so that
 * the gets come the long way, where they are shared out; when the tier is well again the entry says
 * what it said at the start.  While a recording runs all are 0.  The table is written under the
 * health's lock only, so that of two causes neither undoes what the other wants.
 */
#include "pool/pool_state.h"

void pool_fast_apply(dp_pool *pool, dp_tier_id tier)
{
    bool is_recording = observer_is_recording(&pool->observer);
    unsigned first = pool->magazines.first[tier];
    for (unsigned row = 0; first != 0 && row < ROUTER_ROWS; row++) {
        for (unsigned i = 0; i < POOL_FAST_CLASSES; i++) {
            uint32_t entry = pool->fast_home[row][i];
            unsigned size_class = (unsigned)(entry / sizeof(magazine)) - first;
            if (size_class >= SIZE_CLASS_COUNT)
                continue; /* the long way anyway, or another tier's */
            if (is_recording || !health_is_open(&pool->health, tier, size_class_family(size_class)))
                entry = 0;
            atomic_store_explicit(&pool->fast[row][i], entry, memory_order_relaxed);
        }
    }
}

void pool_fast_follow(dp_pool *pool)
{
    health_reapply(&pool->health);
}

void dp_pool_tick(dp_pool *pool)
{
    health_tick(&pool->health, 1);
}

dp_status dp_health_read(const dp_pool *pool, dp_tier_id tier, dp_family family,
                         dp_health_info *out)
{
    if ((unsigned)tier >= DP_TIER_COUNT || (unsigned)family > DP_FAMILY_COUNT)
        return DP_ERR_INVALID;
    if (pool->slabs[tier] == NULL || !pool->health.config.enabled)
        return DP_ERR_UNSUPPORTED;
    health_cell_read(&pool->health, tier, family, out);
    return DP_OK;
}

/* ---- tenants ---- */

dp_status dp_tenant_create(dp_pool *pool, const char *name,
                           const size_t quota_bytes_max[DP_TIER_COUNT], uint16_t *id)
{
    DP_ASSERT(name != NULL && id != NULL);
    return tenant_make(&pool->tenants, name, quota_bytes_max, id);
}

dp_status dp_tenant_destroy(dp_pool *pool, uint16_t id)
{
    return tenant_end(&pool->tenants, id);
}

dp_status dp_tenant_stats_read(dp_pool *pool, uint16_t id, dp_tenant_stats *out)
{
    return tenant_read(&pool->tenants, id, out);
}

uint16_t dp_tenant_next(dp_pool *pool, uint16_t id)
{
    return tenant_next(&pool->tenants, id);
}
