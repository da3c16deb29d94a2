/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: ONE allocator for every tier.  Blocks are cut from the tier's regions; what describes
 * them (struct dp_buf) lives in ordinary memory, since the CPU cannot write a header into HBM.
 *
 *     tier -> region (2 MiB on host) -> run (whole units of 32 KiB) -> block
 *
 *     region  | unit | unit | unit | unit | unit | unit | ...   up to 64 units, one bitmap word
 *     run     [ 80 B blocks ][      40 KiB blocks       ]
 *     dp_buf    ..............      ...                         one array a run, 64 bytes each
 *
 * A run serves one size class.  A class whose block exceeds half a region, or 1 MiB, gets a region
 * of its own for each block ("huge"); a few of those are kept when freed, so that a caller that
 * takes and drops one surface after another does not call the tier every time.
 *
 * Every block of a class is the slab's or is out: out means handed to a magazine (rung 3), which is
 * where most blocks rest.  So "live" here counts held blocks and magazine blocks together.
 *
 * All calls are thread safe under one mutex a slab; callers come in batches.  Nothing is called
 * back under it but the tier.  The slab owns regions, runs and descriptors; a dp_buf lives as long
 * as its run, that is, at least until the block is put back.
 */
#ifndef DP_POOL_SLAB_H
#define DP_POOL_SLAB_H

#include <stdatomic.h>

#include <danpool/buf.h>

#include "pool/size_class.h"
#include "pool/tier.h"

/* What runs are made of.  A smaller unit leaves less at the end of a class's last run. */
#ifdef __wasm__
#define SLAB_UNIT_BYTES ((size_t)64 << 10) /* a page: descriptors come in whole pages there too */
#else
#define SLAB_UNIT_BYTES ((size_t)32 << 10)
#endif
#define SLAB_BLOCK_BYTES_MAX ((size_t)1 << 20) /* larger blocks are huge */

/* Freed huge regions that are kept: at most this many, of at most this many bytes together. */
#define SLAB_HUGE_KEPT_MAX       8u
#define SLAB_HUGE_KEPT_BYTES_MAX ((size_t)64 << 20)

/*
 * Bits of dp_buf.flags.  A block whose flags are 0 takes the short way through get and put; any bit
 * sends it the long way, where what the bit means is seen to.
 */
#define BUF_FRESH  1u   /* has never been handed to a caller */
#define BUF_WRAP   2u   /* a wrapped_buf: the block is not a slab's */
#define BUF_MARK   4u   /* seen by the walker */
#define BUF_REST   8u   /* on its run's free chain */
#define BUF_TENANT 16u  /* charged to a tenant */
#define BUF_LEASE  32u  /* has a record in the pool's table of leases, which ends with the buffer */
#define BUF_MOVE   64u  /* a movable_buf: the block that it points to is the slab's */
#define BUF_SEEN   128u /* held: its get was recorded, so its put is */

/* The part of a descriptor that is a slab's own. */
typedef struct slab_run slab_run;

/*
 * One block.  Exactly one cache line, so that two threads with neighbouring blocks do not share
 * one.  What is atomic may be read by others than the holder: they see some recent value.
 */
struct dp_buf {
    _Atomic uint32_t references; /* 0 exactly while the block is free */
    uint32_t size_bytes;         /* held: bytes in use */
    void *host;
    uint32_t magazine_bytes; /* where in a thread's set its magazine lies */
    uint8_t slot;            /* of the layer, where a thread finds its set */
    uint8_t flags;
    _Atomic uint8_t row;  /* held: kind, need, priority and state, see router.h */
    _Atomic uint8_t tier; /* of a movable one it may change under the reader */
    uint32_t capacity_bytes;
    _Atomic uint32_t epoch; /* held: the pool's epoch at the get, see lifecycle.h */
    uint64_t device;
    slab_run *run; /* NULL for a wrapped and a movable one */
    union {
        dp_buf *next;         /* on its run's free chain */
        _Atomic(void *) site; /* held: where it was got, a return address */
    };
    uint16_t magazine; /* the same as an index, which names tier and class */
    uint8_t size_class;
    uint8_t noted; /* the walk's own, under the slab's lock: what has been said of this life */
    uint8_t unused[2];
    uint16_t tenant; /* with BUF_TENANT: whose it is */
};
_Static_assert(sizeof(void *) != 8 || sizeof(dp_buf) == 64, "a descriptor is one cache line");

typedef struct slab slab;

typedef struct slab_stats {
    uint64_t region_calls;   /* region_get (failed ones too) and region_put */
    uint64_t capacity_bytes; /* in regions now */
    uint64_t empty_bytes;    /* of those, in regions with no run and in kept huge ones */
    uint64_t live_blocks;    /* out: held or in a magazine */
} slab_stats;

/* `tier` is borrowed and outlives the slab; `pool` is what slab_pool_of() will say.  DP_ERR_NOMEM.
 */
dp_status slab_create(dp_tier *tier, dp_pool *pool, slab **out);

/*
 * What the descriptors will say of their way back: the layer's slot, and which of a set's
 * magazines, of so many bytes each, is this tier's first.  Before the first slab_get().
 */
typedef struct slab_way_back {
    uint8_t slot;
    uint16_t magazine_first;
    uint16_t magazine_bytes;
} slab_way_back;

void slab_bind(slab *slab, const slab_way_back *way_back);

/* Gives every region back to the tier.  Asserts that no block is out.  NULL is fine. */
void slab_destroy(slab *slab);

/* What sizes are rounded up to before their class is looked up: every block starts at a multiple.
 */
size_t slab_alignment_bytes(const slab *slab);

/*
 * Takes 1 .. want blocks of one class into blocks[]; *got gets their number.  Fewer than wanted is
 * no failure.  Fails as the tier does (DP_ERR_NOMEM, DP_ERR_QUOTA, DP_ERR_DEVICE,
 * DP_ERR_UNSUPPORTED), or with DP_ERR_NOMEM for want of bookkeeping.
 */
dp_status slab_get(slab *slab, unsigned size_class, unsigned want, dp_buf *blocks[], unsigned *got);

/* Takes back `count` blocks of any classes of this slab.  Cannot fail. */
void slab_put(slab *slab, dp_buf *const blocks[], unsigned count);

/* How many blocks of a class stay in memory of ours when all of them are put. */
size_t slab_rest_max(const slab *slab, unsigned size_class);

/* Gives every region that holds no block back to the tier, kept ones too. */
void slab_trim(slab *slab);

/* Asks the tier for a little memory and gives it back at once: does it answer? */
dp_status slab_probe(slab *slab);

/* The pool that a block belongs to; not for a wrapped or movable one. */
dp_pool *slab_pool_of(const dp_buf *buf);

/* The block's place in the tier, for copies. */
const tier_region *slab_region_of(const dp_buf *buf, size_t *offset_bytes);

void slab_stats_read(slab *slab, slab_stats *out);

/* stats.capacity_bytes, a moment old, without the lock. */
size_t slab_capacity_bytes(const slab *slab);

/*
 * The walk over every descriptor, in steps, for one walker at a time: slab_walk_begin() goes back
 * to the start, slab_walk_step() shows up to `blocks_max` descriptors under the lock and is true
 * while there are more.  What comes while a walk is under way may be left out; what was there from
 * its beginning to its end is shown.
 *
 * `visit` may read what struct dp_buf says others than the holder may read, and write `noted`.  It
 * calls nothing that takes a slab's lock.  False: it has had enough for this step, and is shown the
 * same descriptor again first thing in the next.
 */
typedef bool slab_visit(void *user, dp_buf *buf);
void slab_walk_begin(slab *slab);
bool slab_walk_step(slab *slab, unsigned blocks_max, slab_visit *visit, void *user);

/* Walks everything and asserts that each free block is on one list once and that the sums agree. */
void slab_check(slab *slab);

#endif
