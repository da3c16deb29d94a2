/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host tier: plain pages of this machine's memory, the one tier that is always there.
 *
 * Regions are mapped straight from the kernel, so that giving one back really lowers the process's
 * size, and so that untouched parts of a region cost address space only.  The tier has no state of
 * its own; regions come and go under the slab's lock.
 */
#include <stdio.h>

#include "pool/os.h"
#include "pool/tier.h"

#define HOST_REGION_BYTES    ((size_t)2 << 20)
#define HOST_ALIGNMENT_BYTES 16u

static void host_close(dp_tier *tier)
{
    os_free(tier);
}

static dp_status host_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    (void)tier;
    void *pages = os_pages_map(size_bytes);
    if (pages == NULL)
        return DP_ERR_NOMEM;
    *out = (tier_region){.host = pages, .size_bytes = size_bytes};
    return DP_OK;
}

static void host_region_put(dp_tier *tier, const tier_region *region)
{
    (void)tier;
    os_pages_unmap(region->host, region->size_bytes);
}

static const tier_ops host_ops = {
    .close = host_close,
    .region_get = host_region_get,
    .region_put = host_region_put,
};

dp_status tier_host_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    (void)args;
    dp_tier *tier = os_calloc(1, sizeof *tier);
    if (tier == NULL) {
        snprintf(detail, 96, "no memory for the tier's descriptor");
        return DP_ERR_NOMEM;
    }
    tier->ops = &host_ops;
    tier->info = (dp_tier_info){
        .id = DP_TIER_HOST,
        .name = dp_tier_name(DP_TIER_HOST),
        .state = DP_OK,
        .alignment_bytes = HOST_ALIGNMENT_BYTES,
        .host_visible = true,
    };
    snprintf(tier->info.detail, sizeof tier->info.detail, "pages of %zu KiB",
             os_page_bytes() / 1024);
    tier->region_bytes_default = HOST_REGION_BYTES;
    *out = tier;
    return DP_OK;
}
