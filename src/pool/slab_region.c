/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: regions come and go, and runs find their units in them; slab_state.h states the
 * invariants.  Everything here is called under the slab's lock.
 *
 * Watermark: a region whose last run ends stays only while empty regions are no more than 1/32
 * of the capacity, or one region; above that it goes back to the tier at once.
 *
 * A run goes to the fullest of the open regions that has room; a region that became empty goes to
 * the back, so that it stays empty.
 */
#include "pool/slab_state.h"

#include "pool/nvtx_mark.h"

#define REGION_TRIES_MAX    64u  /* bounds the search; it goes on only while nothing fits at all */
#define RUN_SHORT_WASTE_MAX 128u /* in 1/1024 of a run that makes do with fewer units */
#define SLAB_EMPTY_SHARE    32u  /* of the capacity, that may lie in empty regions */

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
    DP_ASSERT(slab_region_address(region) % self->alignment_bytes == 0);
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

/* ---- the memory of runs ---- */

/* Spare ones go. */
static bool spares_free(slab *self)
{
    bool any = self->spare_run != NULL;
    os_free(self->spare_run);
    self->spare_run = NULL;
    for (unsigned i = 0; i < SLAB_SPARE_RUNS; i++) {
        any = any || self->spare_runs[i] != NULL;
        os_free(self->spare_runs[i]);
        self->spare_runs[i] = NULL;
    }
    return any;
}

/* One that has room for so many blocks and not for many times as many, NULL when there is none. */
static slab_run *spare_take(slab *self, uint32_t total)
{
    unsigned at = 0;
    for (; at < SLAB_SPARE_RUNS; at++) {
        const slab_run *spare = self->spare_runs[at];
        if (spare != NULL && spare->room >= total && spare->room / 4 <= total)
            break;
    }
    if (at == SLAB_SPARE_RUNS)
        return NULL;
    slab_run *run = self->spare_runs[at];
    for (; at + 1 < SLAB_SPARE_RUNS; at++)
        self->spare_runs[at] = self->spare_runs[at + 1];
    self->spare_runs[at] = NULL;
    return run;
}

slab_run *slab_run_memory(slab *self, uint32_t total)
{
    slab_run *run = self->spare_run;
    if (total == 1 && run != NULL) {
        self->spare_run = NULL;
        return run;
    }
    run = spare_take(self, total);
    if (run != NULL)
        return run;
    size_t size_bytes = RUN_HEADER_BYTES + total * sizeof(dp_buf);
    run = os_aligned(64, size_bytes);
    if (run == NULL && spares_free(self))
        run = os_aligned(64, size_bytes);
    if (run != NULL)
        run->room = total;
    return run;
}

/*
 * A large block has a run of its own, which comes and goes with it: one such is kept.  Of others
 * the latest few are, since new memory of that size is memory that was never touched.
 */
void slab_run_free(slab *self, slab_run *run)
{
    if (run->room == 1 && self->spare_run == NULL) {
        self->spare_run = run;
        return;
    }
    os_free(self->spare_runs[SLAB_SPARE_RUNS - 1]);
    for (unsigned i = SLAB_SPARE_RUNS - 1; i > 0; i--)
        self->spare_runs[i] = self->spare_runs[i - 1];
    self->spare_runs[0] = run;
    size_t room = 0;
    for (unsigned i = 0; i < SLAB_SPARE_RUNS; i++) {
        slab_run **spare = &self->spare_runs[i];
        room += *spare == NULL ? 0 : (*spare)->room;
        if (room > SLAB_SPARE_ROOM_MAX) {
            os_free(*spare);
            *spare = NULL;
        }
    }
}

/* ---- regions ---- */

void slab_kept_give_back(slab *self, slab_region *region)
{
    slab_run *run = LIST_OF(region->runs.next, slab_run, region_link);
    self->kept_count--;
    self->kept_bytes -= region->memory.size_bytes;
    slab_walk_pass_run(self, run);
    list_remove(&run->region_link);
    slab_run_free(self, run);
    region_give_back(self, region);
}

static void empty_give_back(slab *self, slab_region *region)
{
    self->empty_bytes -= region->memory.size_bytes;
    region_give_back(self, region);
}

/* Empty regions stand at the back of `open`; above the watermark the last ones go. */
void slab_watermark_keep(slab *self)
{
    while (self->empty_bytes > self->region_bytes &&
           self->empty_bytes > self->stats.capacity_bytes / SLAB_EMPTY_SHARE)
        empty_give_back(self, region_of(self->open.previous));
}

void slab_trim_locked(slab *self)
{
    while (!list_is_empty(&self->kept))
        slab_kept_give_back(self, region_of(self->kept.previous));
    for (list_node *node = self->open.next; node != &self->open;) {
        slab_region *region = region_of(node);
        node = node->next;
        if (region->busy == 0)
            empty_give_back(self, region);
    }
    (void)spares_free(self);
}

/* As region_take; a tier that is full is asked again once what we keep unused has gone back. */
dp_status slab_region_take(slab *self, size_t size_bytes, slab_region **out)
{
    dp_status status = region_take(self, size_bytes, out);
    if (status == DP_OK || self->kept_bytes + self->empty_bytes == 0)
        return status;
    slab_trim_locked(self);
    return region_take(self, size_bytes, out);
}

static dp_status region_open(slab *self, slab_region **out)
{
    slab_region *region = NULL;
    dp_status status = slab_region_take(self, self->region_bytes, &region);
    if (status != DP_OK)
        return status;
    region->units = (unsigned)(self->region_bytes / self->unit_bytes);
    region->heap = nvtx_heap_add(self->tier->info.id, slab_region_address(region),
                                 region->memory.size_bytes, NVTX_HEAP_CUT);
    list_push_front(&self->open, &region->link);
    self->empty_bytes += region->memory.size_bytes;
    *out = region;
    return DP_OK;
}

/* The first place for so many units among the free ones, or false. */
static bool region_fit(const slab_region *region, unsigned units, unsigned *at)
{
    uint64_t places = ~region->busy & bits_of(region->units);
    for (unsigned have = 1; have < units && places != 0;) { /* each bit: so many are free from it */
        unsigned more = have < units - have ? have : units - have;
        places &= places >> more;
        have += more;
    }
    if (places == 0)
        return false;
    *at = (unsigned)__builtin_ctzll(places);
    return true;
}

/*
 * The fullest of the open regions that has such a place, among the first REGION_TRIES_MAX: runs
 * then gather in few regions, and the others empty and go back.  NULL when there is none.
 */
static slab_region *region_choose(slab *self, unsigned units, unsigned *at)
{
    slab_region *best = NULL;
    int best_busy = -1;
    unsigned tries = 0;
    LIST_EACH(node, &self->open)
    {
        slab_region *region = region_of(node);
        int busy = __builtin_popcountll(region->busy);
        unsigned place = 0;
        if (busy > best_busy && region_fit(region, units, &place)) {
            best = region;
            best_busy = busy;
            *at = place;
        }
        if (++tries == REGION_TRIES_MAX && best != NULL)
            break;
    }
    return best;
}

/* The most units up to *units, of no more waste, for which an open region has a place. */
static slab_region *region_choose_short(slab *self, const slab_run *run, size_t waste_max,
                                        unsigned *units, unsigned *at)
{
    for (unsigned fewer = *units; fewer * self->unit_bytes >= run->stride_bytes; fewer--) {
        slab_region *region = NULL;
        if (slab_run_waste(self, fewer, run->stride_bytes) <= waste_max)
            region = region_choose(self, fewer, at);
        if (region != NULL) {
            *units = fewer;
            return region;
        }
    }
    return NULL;
}

/*
 * Finds the run its units: as many as given, or fewer where that makes use of what open regions
 * have between runs, or where the tier refuses another region.
 */
dp_status slab_units_take(slab *self, slab_run *run, unsigned units)
{
    unsigned at = 0;
    dp_status status = DP_OK;
    slab_region *region = region_choose(self, units, &at);
    if (region == NULL)
        region = region_choose_short(self, run, RUN_SHORT_WASTE_MAX, &units, &at);
    if (region == NULL)
        status = region_open(self, &region);
    if (region == NULL)
        region = region_choose_short(self, run, 1024, &units, &at);
    if (region == NULL)
        return status;
    bool was_empty = region->busy == 0;
    if (was_empty)
        self->empty_bytes -= region->memory.size_bytes;
    run->region = region;
    run->unit_bits = bits_of(units) << at;
    run->offset_bytes = at * self->unit_bytes;
    run->total = (uint32_t)(units * self->unit_bytes / run->stride_bytes);
    region->busy |= run->unit_bits;
    bool is_full = region->busy == bits_of(region->units);
    if (was_empty || is_full) {
        list_remove(&region->link);
        list_push_front(is_full ? &self->full : &self->open, &region->link);
    }
    return DP_OK;
}

void slab_units_give_back(slab *self, slab_region *region, uint64_t unit_bits)
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
    slab_watermark_keep(self);
}
