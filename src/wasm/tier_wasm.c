/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regions of whole pages.  They are small, 256 KiB, since linear memory never shrinks and a module
 * may need little; with a region comes the room to find its blocks by address.
 *
 * Of the front functions in pool/tier.c a slab calls the two below; the rest is for tiers that are
 * not here.
 */
#include "wasm/tier_wasm.h"

#include "pool/size_class.h"
#include "wasm/pages.h"
#include "wasm/places.h"

#define WASM_REGION_BYTES ((size_t)256 << 10)

static bool may_grow;

static dp_status wasm_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    (void)tier;
    uint32_t count = pages_of(size_bytes);
    void *pages = pages_take(count, may_grow);
    if (pages == NULL)
        return DP_ERR_NOMEM;
    if (!places_reserve(pages, count * PAGE_BYTES)) {
        pages_give_back(pages, count);
        return DP_ERR_NOMEM;
    }
    *out = (tier_region){.host = pages, .size_bytes = count * PAGE_BYTES};
    return DP_OK;
}

static void wasm_region_put(dp_tier *tier, const tier_region *region)
{
    (void)tier;
    pages_give_back(region->host, pages_of(region->size_bytes));
}

static const tier_ops wasm_ops = {
    .region_get = wasm_region_get,
    .region_put = wasm_region_put,
};

dp_tier *tier_wasm(void)
{
    static dp_tier tier = {
        .ops = &wasm_ops,
        .info =
            {
                .id = DP_TIER_HOST,
                .name = "host",
                .state = DP_OK,
                .alignment_bytes = SIZE_CLASS_STEP_BYTES,
                .host_visible = true,
            },
        .region_bytes_default = WASM_REGION_BYTES,
    };
    return &tier;
}

void tier_wasm_may_grow(bool may)
{
    may_grow = may;
}

dp_status tier_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    return tier->ops->region_get(tier, size_bytes, out);
}

void tier_region_put(dp_tier *tier, const tier_region *region)
{
    tier->ops->region_put(tier, region);
}
