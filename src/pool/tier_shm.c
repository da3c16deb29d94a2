/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shm tier: host memory whose regions can be handed to other processes, which see them
 * read-only.
 *
 * Each region is a sealed memory file of its own (memfd.h), mapped once, writable, by us.  The
 * region's cookie is the file's descriptor: who shares a block sends a duplicate of it together
 * with the block's offset.  A mapping that another process made outlives the region here; it keeps
 * the memory, and sees whatever was in it last.
 *
 * A region costs a descriptor, of which a process has few, and only the pages that were touched;
 * hence large regions.  No state; regions come and go under the slab's lock.
 */
#include <stdio.h>
#include <unistd.h>

#include "pool/memfd.h"
#include "pool/os.h"
#include "pool/tier.h"

#define SHM_REGION_BYTES    ((size_t)8 << 20)
#define SHM_ALIGNMENT_BYTES 64u /* a cache line: readers and the writer are on different cores */

static void shm_close(dp_tier *tier)
{
    os_free(tier);
}

static dp_status shm_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    (void)tier;
    int fd = -1;
    void *bytes = NULL;
    dp_status status = memfd_make("danpool", size_bytes, MEMFD_READ, &fd, &bytes);
    if (status != DP_OK)
        return status;
    *out = (tier_region){.host = bytes, .size_bytes = size_bytes, .cookie = (uint64_t)fd};
    return DP_OK;
}

static void shm_region_put(dp_tier *tier, const tier_region *region)
{
    (void)tier;
    memfd_unmap(region->host, region->size_bytes);
    DP_ASSERT(close((int)region->cookie) == 0);
}

static const tier_ops SHM_OPS = {
    .close = shm_close,
    .region_get = shm_region_get,
    .region_put = shm_region_put,
};

/* One page, made and dropped: whether this kernel has the seals is best asked by using them. */
static dp_status shm_try(char detail[96])
{
    tier_region page;
    dp_status status = shm_region_get(NULL, os_page_bytes(), &page);
    if (status == DP_OK)
        shm_region_put(NULL, &page);
    else if (status == DP_ERR_UNSUPPORTED)
        snprintf(detail, 96, "the kernel lacks sealed memory files (memfd, F_SEAL_FUTURE_WRITE)");
    else
        snprintf(detail, 96, "no memory or no descriptor for a memory file");
    return status;
}

dp_status tier_shm_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    (void)args;
    dp_status status = shm_try(detail);
    if (status != DP_OK)
        return status;
    dp_tier *tier = os_calloc(1, sizeof *tier);
    if (tier == NULL) {
        snprintf(detail, 96, "no memory for the tier's descriptor");
        return DP_ERR_NOMEM;
    }
    *tier = (dp_tier){
        .ops = &SHM_OPS,
        .info = {.id = DP_TIER_SHM,
                 .name = dp_tier_name(DP_TIER_SHM),
                 .state = DP_OK,
                 .detail = "sealed memory files, read-only for other processes",
                 .alignment_bytes = SHM_ALIGNMENT_BYTES,
                 .host_visible = true,
                 .shareable = true},
        .region_bytes_default = SHM_REGION_BYTES,
    };
    *out = tier;
    return DP_OK;
}
