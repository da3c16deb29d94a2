/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: regions into runs into blocks; slab.h draws the picture, slab_state.h states the
 * invariants, slab_region.c has what lies below the runs.
 *
 * A run ends with its last block: the depots above (rung 3) already keep a burst's worth of each
 * class.
 */
#include "pool/slab_state.h"

#include "pool/nvtx_mark.h"

#define RUN_UNITS_MAX    16u /* as much as a run takes to waste less at its end */
#define RUN_WASTE_MAX    32u /* in 1/1024 of the run */
#define HUGE_ROUND_BYTES ((size_t)4096)

dp_status slab_create(dp_tier *tier, dp_pool *pool, slab **out)
{
    slab *self = os_calloc(1, sizeof *self);
    if (self == NULL)
        return DP_ERR_NOMEM;
    self->tier = tier;
    self->pool = pool;
    self->alignment_bytes = tier->info.alignment_bytes;
    if (self->alignment_bytes < SIZE_CLASS_STEP_BYTES)
        self->alignment_bytes = SIZE_CLASS_STEP_BYTES;
    DP_ASSERT((self->alignment_bytes & (self->alignment_bytes - 1)) == 0);
    DP_ASSERT(self->alignment_bytes <= HUGE_ROUND_BYTES);
    self->unit_bytes = SLAB_UNIT_BYTES;
    while (tier->region_bytes_default > self->unit_bytes * SLAB_UNITS_MAX)
        self->unit_bytes *= 2;
    self->region_bytes = os_align_up(tier->region_bytes_default, self->unit_bytes);
    if (self->region_bytes == 0)
        self->region_bytes = self->unit_bytes;
    self->block_bytes_max = self->region_bytes / 2;
    if (self->block_bytes_max > SLAB_BLOCK_BYTES_MAX)
        self->block_bytes_max = SLAB_BLOCK_BYTES_MAX;
    os_mutex_init(&self->lock);
    list_init(&self->regions);
    list_init(&self->open);
    list_init(&self->full);
    list_init(&self->huge);
    list_init(&self->kept);
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        list_init(&self->partial[i]);
    *out = self;
    return DP_OK;
}

void slab_bind(slab *self, const slab_way_back *way_back)
{
    DP_ASSERT(self->stats.capacity_bytes == 0);
    self->way_back = *way_back;
}

size_t slab_alignment_bytes(const slab *self)
{
    return self->alignment_bytes;
}

/* ---- runs ---- */

/* A run with nothing taken; descriptors are written when their block is first taken. */
static slab_run *run_alloc(slab *self, unsigned size_class, uint32_t total)
{
    slab_run *run = slab_run_memory(self, total);
    if (run == NULL)
        return NULL;
    *run = (slab_run){
        .pool = self->pool,
        .total = total,
        .room = run->room,
        .stride_bytes = (uint32_t)size_class_bytes(size_class),
        .size_class = (uint8_t)size_class,
    };
    list_init(&run->link);
    list_init(&run->region_link);
    return run;
}

/* How many units a run of such blocks takes: the fewest that waste at most 1/32 at their end. */
static unsigned run_units(const slab *self, size_t stride_bytes)
{
    unsigned least = (unsigned)((stride_bytes + self->unit_bytes - 1) / self->unit_bytes);
    unsigned most = (unsigned)(self->region_bytes / self->unit_bytes);
    if (most > RUN_UNITS_MAX && least <= RUN_UNITS_MAX)
        most = RUN_UNITS_MAX;
    unsigned best = least;
    size_t best_ratio = SIZE_MAX; /* waste in 1/1024 of the run */
    for (unsigned units = least; units <= most; units++) {
        size_t ratio = slab_run_waste(self, units, stride_bytes);
        if (ratio < best_ratio) {
            best = units;
            best_ratio = ratio;
        }
        if (best_ratio <= RUN_WASTE_MAX)
            break;
    }
    return best;
}

static dp_status run_create(slab *self, unsigned size_class, slab_run **out)
{
    size_t stride = size_class_bytes(size_class);
    if (self->run_units[size_class] == 0) /* found by a loop of divisions: once is enough */
        self->run_units[size_class] = (uint8_t)run_units(self, stride);
    unsigned units = self->run_units[size_class];
    slab_run *run = run_alloc(self, size_class, (uint32_t)(units * self->unit_bytes / stride));
    if (run == NULL)
        return DP_ERR_NOMEM;
    dp_status status = slab_units_take(self, run, units);
    if (status != DP_OK) {
        slab_run_free(self, run);
        return status;
    }
    run->touched = (run->region->touched & run->unit_bits) != 0;
    run->region->touched |= run->unit_bits;
    list_push_front(&run->region->runs, &run->region_link);
    list_push_front(&self->partial[size_class], &run->link);
    *out = run;
    return DP_OK;
}

/* A region with one block in it, kept from an earlier one of that class or new from the tier. */
static dp_status huge_create(slab *self, unsigned size_class, slab_run **out)
{
    LIST_EACH(node, &self->kept)
    {
        slab_region *region = region_of(node);
        slab_run *run = LIST_OF(region->runs.next, slab_run, region_link);
        if (run->size_class == size_class) {
            self->kept_count--;
            self->kept_bytes -= region->memory.size_bytes;
            list_remove(&region->link);
            list_push_front(&self->huge, &region->link);
            nvtx_block_add(region->heap, slab_region_address(region), run->stride_bytes);
            *out = run;
            return DP_OK;
        }
    }
    slab_run *run = run_alloc(self, size_class, 1);
    if (run == NULL)
        return DP_ERR_NOMEM;
    size_t bytes = os_align_up(size_class_bytes(size_class), HUGE_ROUND_BYTES);
    dp_status status = slab_region_take(self, bytes, &run->region);
    if (status != DP_OK) {
        slab_run_free(self, run);
        return status;
    }
    list_push_front(&run->region->runs, &run->region_link);
    list_push_front(&self->huge, &run->region->link);
    slab_region *region = run->region;
    region->heap = nvtx_heap_add(self->tier->info.id, slab_region_address(region),
                                 region->memory.size_bytes, NVTX_HEAP_WHOLE);
    nvtx_block_add(region->heap, slab_region_address(region), run->stride_bytes);
    *out = run;
    return DP_OK;
}

static void run_end(slab *self, slab_run *run)
{
    slab_region *region = run->region;
    if (run->unit_bits != 0) {
        slab_walk_pass_run(self, run);
        list_remove(&run->link);
        list_remove(&run->region_link);
        slab_units_give_back(self, region, run->unit_bits);
        slab_run_free(self, run);
        return;
    }
    nvtx_block_remove(region->heap, slab_region_address(region));
    list_remove(&region->link);
    list_push_front(&self->kept, &region->link);
    self->kept_count++;
    self->kept_bytes += region->memory.size_bytes;
    while (self->kept_count > SLAB_HUGE_KEPT_MAX || self->kept_bytes > SLAB_HUGE_KEPT_BYTES_MAX)
        slab_kept_give_back(self, region_of(self->kept.previous));
    slab_watermark_keep(self); /* the capacity that it is measured by may have shrunk */
}

/* ---- blocks ---- */

static dp_buf *buf_construct(const slab *self, slab_run *run, uint32_t index)
{
    const tier_region *memory = &run->region->memory;
    size_t offset = run->offset_bytes + (size_t)index * run->stride_bytes;
    dp_buf *buf = &run_bufs(run)[index];
    uint16_t magazine = (uint16_t)(self->way_back.magazine_first + run->size_class);
    *buf = (dp_buf){
        .magazine = magazine,
        .magazine_bytes = (uint32_t)magazine * self->way_back.magazine_bytes,
        .slot = self->way_back.slot,
        .flags = run->touched ? 0 : BUF_FRESH,
        .tier = (uint8_t)self->tier->info.id,
        .size_class = run->size_class,
        .capacity_bytes = run->stride_bytes,
        .host = memory->host == NULL ? NULL : (char *)memory->host + offset,
        .device = memory->device == 0 ? 0 : memory->device + offset,
        .run = run,
    };
    return buf;
}

static dp_buf *run_take(const slab *self, slab_run *run)
{
    dp_buf *buf = run->free;
    if (buf == NULL)
        return buf_construct(self, run, run->fresh++);
    run->free = buf->next;
    run->free_count--;
    buf->flags &= (uint8_t)~BUF_REST;
    return buf;
}

dp_status slab_get(slab *self, unsigned size_class, unsigned want, dp_buf *blocks[], unsigned *got)
{
    size_t block_bytes = size_class_bytes(size_class);
    DP_ASSERT(want > 0 && block_bytes % self->alignment_bytes == 0);
    list_node *partial = &self->partial[size_class];
    unsigned count = 0;
    dp_status status = DP_OK;
    os_lock(&self->lock);
    while (count < want) {
        slab_run *run = NULL;
        if (!list_is_empty(partial))
            run = LIST_OF(partial->next, slab_run, link);
        else if (count > 0)
            break; /* a batch ends where it would cost a new run */
        else if (block_bytes <= self->block_bytes_max)
            status = run_create(self, size_class, &run);
        else
            status = huge_create(self, size_class, &run);
        if (run == NULL)
            break;
        while (count < want && run_has_block(run))
            blocks[count++] = run_take(self, run);
        if (!run_has_block(run))
            list_remove(&run->link);
    }
    self->stats.live_blocks += count;
    os_unlock(&self->lock);
    if (count == 0)
        return status;
    *got = count;
    return DP_OK;
}

static void block_put(slab *self, dp_buf *buf)
{
    slab_run *run = buf->run;
    DP_ASSERT((buf->flags & BUF_REST) == 0); /* put twice */
    DP_ASSERT(run->free_count < run->fresh);
    buf->flags |= BUF_REST;
    if (run->unit_bits != 0 && !run_has_block(run))
        list_push_front(&self->partial[run->size_class], &run->link);
    buf->next = run->free;
    run->free = buf;
    run->free_count++;
    self->stats.live_blocks--;
    if (run->free_count == run->fresh)
        run_end(self, run);
}

void slab_put(slab *self, dp_buf *const blocks[], unsigned count)
{
    os_lock(&self->lock);
    for (unsigned i = 0; i < count; i++)
        block_put(self, blocks[i]);
    os_unlock(&self->lock);
}

size_t slab_rest_max(const slab *self, unsigned size_class)
{
    size_t block_bytes = size_class_bytes(size_class);
    if (block_bytes <= self->block_bytes_max)
        return self->region_bytes / block_bytes; /* one empty region stays */
    size_t count = SLAB_HUGE_KEPT_BYTES_MAX / os_align_up(block_bytes, HUGE_ROUND_BYTES);
    return count < SLAB_HUGE_KEPT_MAX ? count : SLAB_HUGE_KEPT_MAX;
}

void slab_trim(slab *self)
{
    os_lock(&self->lock);
    slab_trim_locked(self);
    os_unlock(&self->lock);
}

dp_status slab_probe(slab *self)
{
    tier_region region;
    os_lock(&self->lock);
    self->stats.region_calls++;
    dp_status status = tier_region_get(self->tier, self->unit_bytes, &region);
    if (status == DP_OK) {
        self->stats.region_calls++;
        tier_region_put(self->tier, &region);
    }
    os_unlock(&self->lock);
    return status;
}

void slab_destroy(slab *self)
{
    if (self == NULL)
        return;
    slab_trim_locked(self);
    DP_ASSERT(self->stats.live_blocks == 0);
    DP_ASSERT(self->stats.capacity_bytes == 0);
    os_mutex_destroy(&self->lock);
    os_free(self);
}

dp_pool *slab_pool_of(const dp_buf *buf)
{
    return buf->run->pool;
}

const tier_region *slab_region_of(const dp_buf *buf, size_t *offset_bytes)
{
    slab_run *run = buf->run;
    size_t index = (size_t)(buf - run_bufs(run));
    *offset_bytes = run->offset_bytes + index * run->stride_bytes;
    return &run->region->memory;
}

size_t slab_capacity_bytes(const slab *self)
{
    return atomic_load_explicit(&self->capacity_seen, memory_order_relaxed);
}

void slab_stats_read(slab *self, slab_stats *out)
{
    os_lock(&self->lock);
    *out = self->stats;
    out->empty_bytes = self->empty_bytes + self->kept_bytes;
    os_unlock(&self->lock);
}
