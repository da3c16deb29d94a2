/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: the walker.  Goes over every region, run and free block under the slab's lock and asserts
 * the invariants that slab_state.h states.  Tests call it after every step; it costs a visit to
 * each free block, so nothing else does.
 */
#include "pool/slab_state.h"

/* Each free block is in the chain once, was taken before, and belongs to this run. */
static uint64_t run_check(slab_run *run)
{
    uint32_t seen = 0;
    for (dp_buf *buf = run->free; buf != NULL; buf = buf->next) {
        DP_ASSERT(buf->run == run);
        DP_ASSERT((size_t)(buf - run_bufs(run)) < run->fresh);
        DP_ASSERT((buf->flags & (BUF_MARK | BUF_REST)) == BUF_REST);
        DP_ASSERT(atomic_load_explicit(&buf->references, memory_order_relaxed) == 0);
        buf->flags |= BUF_MARK;
        seen++;
    }
    for (dp_buf *buf = run->free; buf != NULL; buf = buf->next)
        buf->flags &= (uint8_t)~BUF_MARK;
    DP_ASSERT(seen == run->free_count);
    DP_ASSERT(run->fresh <= run->total && run->free_count <= run->fresh);
    size_t end = run->offset_bytes + (size_t)run->total * run->stride_bytes;
    DP_ASSERT(end <= run->region->memory.size_bytes);
    bool listed = !list_is_empty(&run->link);
    DP_ASSERT(run->unit_bits == 0 || listed == run_has_block(run));
    return run->fresh - run->free_count;
}

static uint64_t region_check(slab_region *region)
{
    uint64_t bits = 0;
    uint64_t live = 0;
    LIST_EACH(node, &region->runs)
    {
        slab_run *run = LIST_OF(node, slab_run, region_link);
        DP_ASSERT(run->region == region);
        DP_ASSERT((bits & run->unit_bits) == 0);
        bits |= run->unit_bits;
        live += run_check(run);
    }
    DP_ASSERT(bits == region->busy);
    DP_ASSERT((region->busy & ~region->touched) == 0);
    return live;
}

void slab_check(slab *self)
{
    uint64_t live = 0;
    size_t capacity = 0;
    size_t empty = 0;
    list_node *lists[] = {&self->open, &self->full, &self->huge, &self->kept};
    os_lock(&self->lock);
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        LIST_EACH(node, lists[i])
        {
            slab_region *region = region_of(node);
            DP_ASSERT((region->units == 0) == (i >= 2));
            DP_ASSERT(i >= 2 || (region->busy == bits_of(region->units)) == (i == 1));
            DP_ASSERT(i != 0 || empty == 0 || region->busy == 0); /* empty ones at the back */
            uint64_t out = region_check(region);
            DP_ASSERT(i < 2 || out == (i == 2 ? 1u : 0u));
            live += out;
            capacity += region->memory.size_bytes;
            empty += i == 0 && region->busy == 0 ? region->memory.size_bytes : 0;
        }
    }
    size_t listed = 0;
    LIST_EACH(node, &self->regions)
    listed += LIST_OF(node, slab_region, age_link)->memory.size_bytes;
    DP_ASSERT(listed == capacity);
    DP_ASSERT(live == self->stats.live_blocks);
    DP_ASSERT(capacity == self->stats.capacity_bytes);
    DP_ASSERT(empty == self->empty_bytes);
    os_unlock(&self->lock);
}
