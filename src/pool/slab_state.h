/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: what a slab is made of, for slab.c and slab_region.c, which work on it, and slab_check.c,
 * which walks it.
 *
 * Invariants, all under the slab's lock:
 *   run      total == live + free_count + (total - fresh), live the blocks that are out;
 *            it is on its class's list exactly while it has a block to give
 *   region   `busy` is the disjoint union of its runs' units; it is on `full` exactly while no unit
 *            is free; a huge region has no units and one run of one block
 *   slab     capacity is the sum over open, full, huge and kept regions, which are also those on
 *            `regions`, in the order in which they came
 */
#ifndef DP_POOL_SLAB_STATE_H
#define DP_POOL_SLAB_STATE_H

#include "pool/list.h"
#include "pool/slab.h"

#define SLAB_UNITS_MAX  64u /* bits of slab_region.busy */
#define SLAB_SPARE_RUNS 8u

/* Blocks that spare runs have room for together: 256 KiB of descriptors. */
#define SLAB_SPARE_ROOM_MAX 4096u

typedef struct slab_region {
    list_node link;     /* in slab.open, .full, .huge or .kept */
    list_node age_link; /* in slab.regions */
    list_node runs;
    tier_region memory;
    uint64_t busy;    /* units that belong to a run */
    uint64_t touched; /* units that belonged to one at some time */
    unsigned units;   /* 0: huge */
    void *heap;       /* (or NULL) what an NVTX tool knows it by */
} slab_region;

struct slab_run {
    list_node link;        /* in slab.partial[size_class] while it has a block to give */
    list_node region_link; /* in region->runs */
    slab_region *region;
    dp_pool *pool;
    dp_buf *free; /* chain of blocks that came back */
    uint32_t free_count;
    uint32_t fresh; /* blocks before it were taken at least once, those behind it never */
    uint32_t total;
    uint32_t room; /* blocks that there is memory for, total at least */
    uint32_t stride_bytes;
    size_t offset_bytes; /* of the first block in the region */
    uint64_t unit_bits;  /* 0: huge */
    uint8_t size_class;
    bool touched; /* its memory was another run's before: no block of it counts as fresh */
    /* the descriptors follow, aligned to 64 */
};

/* Where a walk goes on (slab_walk.c).  A region or run that ends moves it past itself. */
typedef struct slab_place {
    slab_region *region; /* NULL: at the end */
    slab_run *run;       /* NULL: at the region's first */
    uint32_t index;
} slab_place;

struct slab {
    pthread_mutex_t lock;
    dp_tier *tier;
    dp_pool *pool;
    slab_way_back way_back;
    size_t alignment_bytes;
    size_t region_bytes;
    size_t unit_bytes;
    size_t block_bytes_max; /* larger ones are huge */
    list_node regions;
    slab_place walk;
    list_node open;
    list_node full;
    list_node huge; /* out */
    list_node kept; /* huge, free; the latest in front */
    unsigned kept_count;
    size_t kept_bytes;
    size_t empty_bytes;                    /* in open regions without runs */
    slab_run *spare_run;                   /* (or NULL) memory for the next run of one block */
    slab_run *spare_runs[SLAB_SPARE_RUNS]; /* (or NULL) for other runs, the latest in front */
    slab_stats stats;
    _Atomic size_t capacity_seen; /* stats.capacity_bytes, for readers without the lock */
    list_node partial[SIZE_CLASS_COUNT];
    uint8_t run_units[SIZE_CLASS_COUNT]; /* of a run of that class, 0: not asked yet */
};

#define RUN_HEADER_BYTES ((sizeof(slab_run) + 63u) & ~(size_t)63u)

static inline dp_buf *run_bufs(slab_run *run)
{
    return (dp_buf *)(void *)((char *)run + RUN_HEADER_BYTES);
}

static inline bool run_has_block(const slab_run *run)
{
    return run->free != NULL || run->fresh < run->total;
}

static inline slab_region *region_of(list_node *node)
{
    return LIST_OF(node, slab_region, link);
}

/* Before a run leaves its region, or a region the slab. */
static inline void slab_walk_pass_region(slab *self, const slab_region *region)
{
    if (self->walk.region != region)
        return;
    list_node *next = region->age_link.next;
    self->walk = (slab_place){
        .region = next == &self->regions ? NULL : LIST_OF(next, slab_region, age_link)};
}

static inline void slab_walk_pass_run(slab *self, const slab_run *run)
{
    if (self->walk.run != run)
        return;
    list_node *next = run->region_link.next;
    if (next == &run->region->runs) {
        slab_walk_pass_region(self, run->region);
        return;
    }
    self->walk.run = LIST_OF(next, slab_run, region_link);
    self->walk.index = 0;
}

/* `count` ones; count is 1 .. 64, and a shift by 64 is undefined. */
static inline uint64_t bits_of(unsigned count)
{
    return ~(uint64_t)0 >> (64u - count);
}

/* What so many units of such blocks waste at their end, in 1/1024; they hold one at least. */
static inline size_t slab_run_waste(const slab *self, unsigned units, size_t stride_bytes)
{
    size_t bytes = units * self->unit_bytes;
    return bytes % stride_bytes * 1024 / bytes;
}

/* What an NVTX tool knows the region's memory by. */
static inline uint64_t slab_region_address(const slab_region *region)
{
    return (uint64_t)(uintptr_t)region->memory.host | region->memory.device;
}

/* ---- slab_region.c ---- */

/* A region that is on no list yet; a tier that is full is asked again once what is kept unused has
 * gone back. */
dp_status slab_region_take(slab *self, size_t size_bytes, slab_region **out);

/* The latter's run goes with it. */
void slab_kept_give_back(slab *self, slab_region *region);

/* Of the empty regions, those above the watermark go. */
void slab_watermark_keep(slab *self);

/* Everything that is kept unused goes. */
void slab_trim_locked(slab *self);

/*
 * Finds the run its units: as many as given, or fewer where that makes use of what open regions
 * have between runs, or where the tier refuses another region.  The run must have memory for as
 * many blocks as the given number of units holds.
 */
dp_status slab_units_take(slab *self, slab_run *run, unsigned units);
void slab_units_give_back(slab *self, slab_region *region, uint64_t unit_bits);

/* Memory for a run of so many blocks: a spare one's, else new.  NULL when there is none. */
slab_run *slab_run_memory(slab *self, uint32_t total);
void slab_run_free(slab *self, slab_run *run);

#endif
