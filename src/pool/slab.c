/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: regions into runs into blocks; slab.h draws the picture, slab_state.h states the
 * invariants.
 *
 * Watermark: a region whose last run ends stays only while empty regions are no more than 1/32
 * of the capacity, or one region; above that it goes back to the tier at once.  A run ends
 * with its last block: the depots above (rung 3) already keep a burst's worth of each class.
 *
 * A run goes to the fullest of the open regions that has room; a region that became empty goes to
 * the back, so that it stays empty.
 */
#include "pool/slab_state.h"

#include "pool/nvtx_mark.h"

#define RUN_UNITS_MAX    16u /* as much as a run takes to waste less at its end */
#define REGION_TRIES_MAX 64u /* bounds the search; it goes on only while nothing fits at all */
#define RUN_WASTE_MAX    64u /* in 1/1024 of the run */
#define HUGE_ROUND_BYTES ((size_t)4096)
#define SLAB_EMPTY_SHARE 32u /* of the capacity, that may lie in empty regions */

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

/* ---- regions ---- */

static uint64_t address_of(const slab_region *region)
{
    return (uint64_t)(uintptr_t)region->memory.host | region->memory.device;
}

static void capacity_change(slab *self, int64_t bytes)
{
    self->stats.capacity_bytes += (uint64_t)bytes;
    atomic_store_explicit(&self->capacity_seen, (size_t)self->stats.capacity_bytes,
                          memory_order_relaxed);
}

/* Calls the tier; the new region is on no list yet. */
static dp_status region_take(slab *self, size_t size_bytes, slab_region **out)
{
    slab_region *region = os_calloc(1, sizeof *region);
    if (region == NULL)
        return DP_ERR_NOMEM;
    self->stats.region_calls++;
    dp_status status = tier_region_get(self->tier, size_bytes, &region->memory);
    if (status != DP_OK) {
        os_free(region);
        return status;
    }
    DP_ASSERT(region->memory.size_bytes >= size_bytes);
    DP_ASSERT(address_of(region) % self->alignment_bytes == 0);
    list_init(&region->link);
    list_init(&region->runs);
    list_push_back(&self->regions, &region->age_link);
    capacity_change(self, (int64_t)region->memory.size_bytes);
    *out = region;
    return DP_OK;
}

static void region_give_back(slab *self, slab_region *region)
{
    DP_ASSERT(list_is_empty(&region->runs));
    slab_walk_pass_region(self, region);
    list_remove(&region->age_link);
    list_remove(&region->link);
    self->stats.region_calls++;
    capacity_change(self, -(int64_t)region->memory.size_bytes);
    nvtx_heap_remove(region->heap);
    /* The next owner of these addresses is not ours. */
    OS_UNPOISON(region->memory.host, region->memory.host == NULL ? 0 : region->memory.size_bytes);
    tier_region_put(self->tier, &region->memory);
    os_free(region);
}

/* A run with nothing taken; descriptors are written when their block is first taken. */
static slab_run *run_alloc(slab *self, unsigned size_class, uint32_t total)
{
    slab_run *run = total == 1 ? self->spare_run : NULL;
    if (run != NULL)
        self->spare_run = NULL;
    else
        run = os_aligned(64, RUN_HEADER_BYTES + total * sizeof(dp_buf));
    if (run == NULL)
        return NULL;
    *run = (slab_run){
        .pool = self->pool,
        .total = total,
        .stride_bytes = (uint32_t)size_class_bytes(size_class),
        .size_class = (uint8_t)size_class,
    };
    list_init(&run->link);
    list_init(&run->region_link);
    return run;
}

/* A large block has a run of its own, which comes and goes with it: one such is kept. */
static void run_free(slab *self, slab_run *run)
{
    if (run->total == 1 && self->spare_run == NULL)
        self->spare_run = run;
    else
        os_free(run);
}

static void kept_give_back(slab *self, slab_region *region)
{
    slab_run *run = LIST_OF(region->runs.next, slab_run, region_link);
    self->kept_count--;
    self->kept_bytes -= region->memory.size_bytes;
    slab_walk_pass_run(self, run);
    list_remove(&run->region_link);
    run_free(self, run);
    region_give_back(self, region);
}

static void empty_give_back(slab *self, slab_region *region)
{
    self->empty_bytes -= region->memory.size_bytes;
    region_give_back(self, region);
}

/* Empty regions stand at the back of `open`; above the watermark the last ones go. */
static void watermark_keep(slab *self)
{
    while (self->empty_bytes > self->region_bytes &&
           self->empty_bytes > self->stats.capacity_bytes / SLAB_EMPTY_SHARE)
        empty_give_back(self, region_of(self->open.previous));
}

static void trim(slab *self)
{
    while (!list_is_empty(&self->kept))
        kept_give_back(self, region_of(self->kept.previous));
    for (list_node *node = self->open.next; node != &self->open;) {
        slab_region *region = region_of(node);
        node = node->next;
        if (region->busy == 0)
            empty_give_back(self, region);
    }
    os_free(self->spare_run);
    self->spare_run = NULL;
}

/* As region_take; a tier that is full is asked again once what we keep unused has gone back. */
static dp_status region_take_or_trim(slab *self, size_t size_bytes, slab_region **out)
{
    dp_status status = region_take(self, size_bytes, out);
    if (status == DP_OK || self->kept_bytes + self->empty_bytes == 0)
        return status;
    trim(self);
    return region_take(self, size_bytes, out);
}

static dp_status region_open(slab *self, slab_region **out)
{
    slab_region *region = NULL;
    dp_status status = region_take_or_trim(self, self->region_bytes, &region);
    if (status != DP_OK)
        return status;
    region->units = (unsigned)(self->region_bytes / self->unit_bytes);
    region->heap = nvtx_heap_add(self->tier->info.id, address_of(region), region->memory.size_bytes,
                                 NVTX_HEAP_CUT);
    list_push_front(&self->open, &region->link);
    self->empty_bytes += region->memory.size_bytes;
    *out = region;
    return DP_OK;
}

/* The first place for `bits` (ones from bit 0 up) among the free units, or false. */
static bool region_fit(const slab_region *region, uint64_t bits, unsigned units, unsigned *at)
{
    for (unsigned i = 0; i + units <= region->units; i++) {
        if ((region->busy & (bits << i)) == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

/*
 * The fullest of the open regions that has such a place, among the first REGION_TRIES_MAX: runs
 * then gather in few regions, and the others empty and go back.  NULL when there is none.
 */
static slab_region *region_choose(slab *self, uint64_t bits, unsigned units, unsigned *at)
{
    slab_region *best = NULL;
    int best_busy = -1;
    unsigned tries = 0;
    LIST_EACH(node, &self->open)
    {
        slab_region *region = region_of(node);
        int busy = __builtin_popcountll(region->busy);
        unsigned place = 0;
        if (busy > best_busy && region_fit(region, bits, units, &place)) {
            best = region;
            best_busy = busy;
            *at = place;
        }
        if (++tries == REGION_TRIES_MAX && best != NULL)
            break;
    }
    return best;
}

static dp_status units_take(slab *self, unsigned units, slab_region **out, unsigned *at)
{
    uint64_t bits = bits_of(units);
    slab_region *region = region_choose(self, bits, units, at);
    if (region == NULL) {
        dp_status status = region_open(self, &region);
        if (status != DP_OK)
            return status;
        *at = 0;
    }
    if (region->busy == 0)
        self->empty_bytes -= region->memory.size_bytes;
    bool was_empty = region->busy == 0;
    region->busy |= bits << *at;
    bool is_full = region->busy == bits_of(region->units);
    if (was_empty || is_full) {
        list_remove(&region->link);
        list_push_front(is_full ? &self->full : &self->open, &region->link);
    }
    *out = region;
    return DP_OK;
}

static void units_give_back(slab *self, slab_region *region, uint64_t unit_bits)
{
    DP_ASSERT((region->busy & unit_bits) == unit_bits);
    bool was_full = region->busy == bits_of(region->units);
    region->busy &= ~unit_bits;
    if (region->busy != 0) {
        if (was_full) {
            list_remove(&region->link);
            list_push_front(&self->open, &region->link);
        }
        return;
    }
    list_remove(&region->link);
    list_push_back(&self->open, &region->link);
    self->empty_bytes += region->memory.size_bytes;
    watermark_keep(self);
}

/* ---- runs ---- */

/* How many units a run of such blocks takes: the fewest that waste at most 1/16 at their end. */
static unsigned run_units(const slab *self, size_t stride_bytes)
{
    unsigned least = (unsigned)((stride_bytes + self->unit_bytes - 1) / self->unit_bytes);
    unsigned most = (unsigned)(self->region_bytes / self->unit_bytes);
    if (most > RUN_UNITS_MAX && least <= RUN_UNITS_MAX)
        most = RUN_UNITS_MAX;
    unsigned best = least;
    size_t best_ratio = SIZE_MAX; /* waste in 1/1024 of the run */
    for (unsigned units = least; units <= most; units++) {
        size_t bytes = units * self->unit_bytes;
        size_t ratio = bytes % stride_bytes * 1024 / bytes;
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
    unsigned at = 0;
    dp_status status = units_take(self, units, &run->region, &at);
    if (status != DP_OK) {
        run_free(self, run);
        return status;
    }
    run->unit_bits = bits_of(units) << at;
    run->offset_bytes = at * self->unit_bytes;
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
            nvtx_block_add(region->heap, address_of(region), run->stride_bytes);
            *out = run;
            return DP_OK;
        }
    }
    slab_run *run = run_alloc(self, size_class, 1);
    if (run == NULL)
        return DP_ERR_NOMEM;
    size_t bytes = os_align_up(size_class_bytes(size_class), HUGE_ROUND_BYTES);
    dp_status status = region_take_or_trim(self, bytes, &run->region);
    if (status != DP_OK) {
        run_free(self, run);
        return status;
    }
    list_push_front(&run->region->runs, &run->region_link);
    list_push_front(&self->huge, &run->region->link);
    slab_region *region = run->region;
    region->heap = nvtx_heap_add(self->tier->info.id, address_of(region), region->memory.size_bytes,
                                 NVTX_HEAP_WHOLE);
    nvtx_block_add(region->heap, address_of(region), run->stride_bytes);
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
        units_give_back(self, region, run->unit_bits);
        run_free(self, run);
        return;
    }
    nvtx_block_remove(region->heap, address_of(region));
    list_remove(&region->link);
    list_push_front(&self->kept, &region->link);
    self->kept_count++;
    self->kept_bytes += region->memory.size_bytes;
    while (self->kept_count > SLAB_HUGE_KEPT_MAX || self->kept_bytes > SLAB_HUGE_KEPT_BYTES_MAX)
        kept_give_back(self, region_of(self->kept.previous));
    watermark_keep(self); /* the capacity that it is measured by may have shrunk */
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
    trim(self);
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
    trim(self);
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
