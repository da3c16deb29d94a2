/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: per-thread magazines over a shared depot, after Bonwick and Adams, "Magazines and Vmem:
 * Extending the Slab Allocator to Many CPUs and Arbitrary Resources" (USENIX 2001).
 *
 *     thread A            depot of one tier and class           thread B
 *     loaded   [...   ]     full  [......] [......]             loaded   [..    ]
 *     previous [......]     empty [      ]                      previous [      ]
 *
 * For each tier and class a thread has two rounds (an array of blocks, the paper's magazine), so
 * that a get-put-get-put at an edge does not go to the depot each time: `loaded` is what it works
 * on, `previous` is full, empty or absent.  Only whole rounds travel, each in one short lock,
 * whoever filled it: blocks got by one thread and put by another flow back a magazine at a time.
 *
 * Arrays, not chains through the free descriptors: a get finds the addresses of the blocks that
 * come next beside its own and prefetches one of them, which hides most of what it costs to fetch a
 * descriptor that another core wrote last.  Rounds need memory; when there is none, blocks go to
 * the slab one by one, so that a put still cannot fail.
 *
 * Threads: a set belongs to its thread, which alone touches its rounds; the counters in it are read
 * by anyone.  When the thread ends, its blocks go to the depots and its counts to the layer's
 * shared set.  A thread for which no set could be made works on the shared set under its lock:
 * slow, never wrong.
 *
 * Lock order: registry -> shared -> depot, registry -> shared -> slab; a depot's lock and a slab's
 * are never held together.
 */
#ifndef DP_POOL_MAGAZINE_H
#define DP_POOL_MAGAZINE_H

#include <stdalign.h>

#include "pool/list.h"
#include "pool/slab.h"
#include "pool/stats.h"

/* A magazine holds at most this many blocks, of at most so many bytes together.  A class that two
 * blocks of would exceed the bytes is not kept by threads at all. */
#define MAGAZINE_BLOCKS_MAX 64u
#define MAGAZINE_BYTES_MAX  ((size_t)32 << 10)
/*
 * A depot keeps at most this many magazines, and all depots of a tier keep at most so many bytes,
 * or 1/32 of what the tier has given; the rest is the slab's, where it can become part of anything.
 */
#define DEPOT_MAGAZINES_MAX  64u
#define DEPOTS_BYTES_MAX     ((size_t)1 << 20)
#define DEPOTS_SHARE_OF_TIER 64u

/* How far ahead of the block it gives out a get prefetches. */
#define MAGAZINE_AHEAD 4u

/*
 * One line: what a get or a put touches besides the block's descriptor.
 *
 * How many blocks are loaded follows from the counters, by
 *
 *     top = origin + (puts - gets) * sizeof(dp_buf *)
 *
 * with the block that is given next below top.  So a get writes one counter and a put the other,
 * and neither has to wait for what the other one wrote a moment ago: a get followed by its put,
 * which is the commonest pattern of all, would otherwise go at the pace of two stores that are read
 * back.
 */
typedef struct magazine {
    alignas(64) uintptr_t origin;
    dp_buf **base; /* of the loaded rounds; NULL like top and limit while there are none */
    dp_buf **limit;
    struct magazine_rounds *previous; /* full, empty or NULL */
    _Atomic uint64_t gets;
    _Atomic uint64_t puts;
    _Atomic uint64_t fresh;     /* gets of a block never handed out before */
    _Atomic uint64_t fallbacks; /* gets where the rule named another tier first */
} magazine;
_Static_assert(sizeof(magazine) == 64, "a magazine is one cache line");

typedef struct magazine_rounds {
    struct magazine_rounds *next; /* in a depot */
    uint32_t count;               /* blocks in it; not kept while it is loaded */
    uint32_t capacity;
    dp_buf *storage[]; /* MAGAZINE_AHEAD addresses that may be prefetched, then the blocks */
} magazine_rounds;

typedef struct magazine_layer magazine_layer;

typedef struct magazine_set {
    stats_counters counters;
    magazine_layer *layer;
    list_node layer_link;             /* under the registry's lock, as the next three */
    struct magazine_set *thread_next; /* sets of the same thread for other pools */
    struct magazine_set **thread_link;
    struct magazine_set **slot;       /* (or NULL) the thread's entry in magazine_sets */
    alignas(64) magazine magazines[]; /* the first one is never filled: a get from it is a miss */
} magazine_set;

typedef struct magazine_depot {
    alignas(64) pthread_mutex_t lock;
    magazine_rounds *full;
    magazine_rounds *empty;
    uint32_t full_count; /* may hold fewer blocks than the capacity: what a thread left */
    uint32_t empty_count;
    uint32_t capacity; /* of rounds of this class, 0: none */
} magazine_depot;

struct magazine_layer {
    uint8_t slot; /* where threads find their set of this layer; 0: this layer has none */
    slab *slabs[DP_TIER_COUNT];
    uint16_t first[DP_TIER_COUNT]; /* magazine of the tier's class 0; 0: the tier has none */
    unsigned magazine_count;       /* of a set, with the one that is never filled */
    magazine_depot *depots;        /* by the same index */
    _Atomic size_t depot_bytes[DP_TIER_COUNT]; /* in the full rounds of all depots */
    list_node sets;
    pthread_mutex_t shared_lock;
    magazine_set *shared;
    struct observer *observer; /* (or NULL) set by the pool */
};

/* ---- the calling thread's set ---- */

/* Layers of one process that threads find their sets of without a lock, less one: 0 is nobody's. */
#define MAGAZINE_SLOTS 16u

/*
 * By the layer's slot; where the thread has no set, and in slot 0, the set whose magazines are all
 * absent, neither with a block to give nor with room for one.  A slot is given to a new layer only
 * after the old one has been taken out of every thread's table.
 *
 * Initial-exec: an access costs no call, in libdanpool.so neither.  Opened late (dlopen), that
 * takes from the little room that glibc keeps for it, so nothing large may become thread-local here
 * (tests/package looks at the size).
 */
extern _Thread_local magazine_set *magazine_sets[MAGAZINE_SLOTS]
    __attribute__((tls_model("initial-exec")));

/* Finds or makes the set; NULL when there is no memory for one. */
magazine_set *magazine_set_find(magazine_layer *layer);

static inline magazine_set *magazine_set_mine(magazine_layer *layer)
{
    magazine_set *set = magazine_sets[layer->slot];
    return DP_LIKELY(set->layer != NULL) ? set : magazine_set_find(layer);
}

static inline magazine *magazine_of(magazine_set *set, dp_tier_id tier, unsigned size_class)
{
    DP_ASSERT(set->layer->first[tier] != 0);
    return &set->magazines[set->layer->first[tier] + size_class];
}

/* ---- blocks ---- */

static inline dp_buf **magazine_top_of(const magazine *mag, uint64_t gets, uint64_t puts)
{
    return (dp_buf **)(mag->origin + (puts - gets) * sizeof(dp_buf *)); /* NOLINT: in the rounds */
}

static inline dp_buf **magazine_top(const magazine *mag)
{
    return magazine_top_of(mag, stats_load(&mag->gets), stats_load(&mag->puts));
}

/* Takes a block and counts the get; NULL when there is none. */
static inline dp_buf *magazine_pop(magazine *mag)
{
    uint64_t gets = stats_load(&mag->gets);
    dp_buf **top = magazine_top_of(mag, gets, stats_load(&mag->puts));
    if (DP_UNLIKELY(top == mag->base))
        return NULL;
    atomic_store_explicit(&mag->gets, gets + 1, memory_order_relaxed);
    /* That descriptor may lie in another core's cache. */
    __builtin_prefetch(top[-1 - (int)MAGAZINE_AHEAD], 1);
    dp_buf *buf = top[-1];
    if (buf == NULL)
        __builtin_unreachable(); /* so that callers do not test it again */
    return buf;
}

/* Gives a block and counts the put; false when there is no room. */
static inline bool magazine_push(magazine *mag, dp_buf *buf)
{
    uint64_t puts = stats_load(&mag->puts);
    dp_buf **top = magazine_top_of(mag, stats_load(&mag->gets), puts);
    if (DP_UNLIKELY(top == mag->limit))
        return false;
    *top = buf;
    atomic_store_explicit(&mag->puts, puts + 1, memory_order_relaxed);
    return true;
}

/* A resting block has one flag at most: it is handed out for the first time. */
static inline void magazine_count_fresh(magazine *mag, dp_buf *buf)
{
    buf->flags = 0;
    stats_add(&mag->fresh, 1);
}

typedef struct magazine_want {
    dp_tier_id tier;
    unsigned size_class;
    bool is_fallback; /* counted as such */
    bool *is_fresh;   /* (or NULL) gets whether the block was never handed out before */
} magazine_want;

/*
 * The whole way: magazine, depot, slab, tier, counted.  When the tier is full, what its depots and
 * this thread's magazines hold of other classes goes back first.  Errors: the tier's.
 */
dp_status magazine_get(magazine_layer *layer, const magazine_want *want, dp_buf **out);

/* The first step of it: from the calling thread's own magazine, counted; NULL when that is empty.
 */
dp_buf *magazine_get_mine(magazine_layer *layer, const magazine_want *want);

/* Takes one free block back, counted.  Cannot fail. */
void magazine_put(magazine_layer *layer, dp_buf *buf);

/* Counters of the calling thread that are not a magazine's. */
typedef enum magazine_counter {
    MAGAZINE_GETS_FAILED,
    MAGAZINE_BYTES_COPIED,
    MAGAZINE_BYTES_DELIVERED,
    MAGAZINE_FAILED /* + tier */
} magazine_counter;

void magazine_count(magazine_layer *layer, unsigned counter, uint64_t value);

/*
 * How many free blocks of a class can rest where a get finds them touched: in one thread's
 * magazines and the depot, or, of a class that has none, in the slab.
 */
size_t magazine_rest_max(magazine_layer *layer, dp_tier_id tier, unsigned size_class);

/* ---- the layer ---- */

/* `slabs` are borrowed and bound to the layer; an entry may be NULL.  DP_ERR_NOMEM. */
dp_status magazine_layer_create(slab *const slabs[DP_TIER_COUNT], magazine_layer *layer);

/* Empties every set and depot into the slabs.  No thread may be in a call on this layer. */
void magazine_layer_destroy(magazine_layer *layer);

/* The calling thread's blocks go to the depots. */
void magazine_flush(magazine_layer *layer);

/* The depots' blocks of one tier, and the calling thread's, go to its slab. */
void magazine_drain(magazine_layer *layer, dp_tier_id tier);

/* Calls visit for every set, the shared one too, under the registry's lock. */
void magazine_each(magazine_layer *layer, void (*visit)(void *user, const magazine_set *set),
                   void *user);

/*
 * For tests, while no other thread is in a call: asserts that all rounds hold free blocks of
 * their own class, each once, and that the depots' counts agree; returns how many blocks of `tier`
 * rest here.
 */
uint64_t magazine_check(magazine_layer *layer, dp_tier_id tier);

#endif
