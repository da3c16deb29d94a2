/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exports over one slab, which is made by the first call that needs it.
 *
 * Invariant: gets - puts == blocks out of the slab, each with one reference and entered in places.
 */
#include "wasm/dp_wasm.h"

#include "pool/slab.h"
#include "wasm/pages.h"
#include "wasm/places.h"
#include "wasm/tier_wasm.h"

static slab *blocks;
static dp_wasm_counters counters;

/* Memory grows only for what nothing that lies unused can serve, descriptors too. */
static dp_status block_get(unsigned size_class, dp_buf **out)
{
    unsigned got = 0;
    if (blocks == NULL && slab_create(tier_wasm(), NULL, &blocks) != DP_OK)
        return DP_ERR_NOMEM;
    tier_wasm_may_grow(false);
    if (slab_get(blocks, size_class, 1, out, &got) == DP_OK)
        return DP_OK;
    slab_trim(blocks);
    tier_wasm_may_grow(true);
    return slab_get(blocks, size_class, 1, out, &got);
}

void *dp_wasm_alloc(size_t size_bytes)
{
    dp_buf *buf = NULL;
    if (size_bytes == 0 || size_bytes > DP_SIZE_BYTES_MAX ||
        block_get(size_class_of(size_bytes), &buf) != DP_OK) {
        counters.failed++;
        return NULL;
    }
    atomic_store_explicit(&buf->references, 1, memory_order_relaxed);
    place_enter(buf);
    counters.gets++;
    counters.reused += (buf->flags & BUF_FRESH) == 0;
    counters.used_bytes += buf->capacity_bytes;
    buf->flags = 0;
    return buf->host;
}

void dp_wasm_free(void *block)
{
    if (block == NULL)
        return;
    dp_buf *buf = place_find(block);
    DP_ASSERT(buf != NULL); /* not held: freed already, or never given */
    place_leave(buf);
    counters.puts++;
    counters.used_bytes -= buf->capacity_bytes;
    atomic_store_explicit(&buf->references, 0, memory_order_relaxed);
    slab_put(blocks, &buf, 1);
}

size_t dp_wasm_capacity(const void *block)
{
    const dp_buf *buf = place_find(block);
    DP_ASSERT(buf != NULL);
    return buf->capacity_bytes;
}

void dp_wasm_stats(dp_wasm_counters *out)
{
    slab_stats stats = {0};
    if (blocks != NULL)
        slab_stats_read(blocks, &stats);
    *out = counters;
    out->capacity_bytes = stats.capacity_bytes;
    out->memory_bytes = (uint64_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
}

void dp_wasm_trim(void)
{
    if (blocks != NULL)
        slab_trim(blocks);
}

void dp_wasm_check(void)
{
    slab_stats stats = {0};
    if (blocks != NULL) {
        slab_check(blocks);
        slab_stats_read(blocks, &stats);
    }
    DP_ASSERT(stats.live_blocks == counters.gets - counters.puts);
}
