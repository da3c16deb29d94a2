/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: per-thread magazines over a shared depot, after Bonwick and Adams, "Magazines and Vmem:
 * Extending the Slab Allocator to Many CPUs and Arbitrary Resources" (USENIX 2001).
 *
 *     thread A            depot of one tier and class           thread B
 *     loaded   [...   ]     full [......] [......] [......]     loaded   [..    ]
 *     previous [......]                                         previous (empty)
 *
 * For each tier and class a thread has two magazines, so that a get-put-get-put at an edge does not
 * go to the depot each time: `loaded` is what it works on, `previous` is whole or absent.  Only
 * whole magazines travel, each in one short lock, whoever filled it: blocks got by one thread and
 * put by another flow back a magazine at a time.
 *
 * Departure from the paper: a magazine is not an array but a chain through the free descriptors
 * themselves.  It needs no memory of its own, so a put cannot fail and nothing has to be resized;
 * the line that a pop reads is the one the caller writes next anyway.
 *
 * Threads: a set belongs to its thread, which alone touches its chains; the counters in it are read
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
#define MAGAZINE_BYTES_MAX  ((size_t)64 << 10)
/* A depot keeps at most this many magazines, of at most so many bytes; the rest is the slab's. */
#define DEPOT_MAGAZINES_MAX 64u
#define DEPOT_BYTES_MAX     ((size_t)2 << 20)

/* One line: what a get or a put touches besides the block's descriptor. */
typedef struct magazine {
    alignas(64) dp_buf *loaded;
    dp_buf *previous;
    uint32_t loaded_count;
    uint32_t previous_count;
    uint32_t capacity; /* 0: not used yet, or a class that threads do not keep */
    _Atomic uint64_t gets;
    _Atomic uint64_t puts;
    _Atomic uint64_t fresh; /* gets of a block never handed out before */
} magazine;

typedef struct magazine_layer magazine_layer;

typedef struct magazine_set {
    magazine magazines[DP_TIER_COUNT][SIZE_CLASS_COUNT];
    stats_counters counters;
    magazine_layer *layer;
    list_node layer_link;             /* under the registry's lock, as the next two */
    struct magazine_set *thread_next; /* sets of the same thread for other pools */
    struct magazine_set **thread_link;
} magazine_set;

typedef struct magazine_depot {
    alignas(64) pthread_mutex_t lock;
    dp_buf *chains; /* by chain_next, the latest first */
    uint32_t count;
    uint32_t count_max;
    uint32_t capacity; /* of a magazine of this class, 0: none */
} magazine_depot;

struct magazine_layer {
    uint64_t id; /* never given to a second layer: a stale thread slot cannot match */
    slab *slabs[DP_TIER_COUNT];
    magazine_depot (*depots)[SIZE_CLASS_COUNT]; /* [DP_TIER_COUNT] */
    _Atomic uint32_t depot_chains[DP_TIER_COUNT];
    list_node sets;
    pthread_mutex_t shared_lock;
    magazine_set *shared;
    struct observer *observer; /* (or NULL) set by the pool */
};

/* ---- the calling thread's set ---- */

#define MAGAZINE_SLOTS 4u /* pools that a thread can alternate between without a lock */

typedef struct magazine_slot {
    uint64_t id;
    magazine_set *set;
} magazine_slot;

/* Initial-exec: the library is linked statically into its program, so this costs no call. */
extern _Thread_local magazine_slot magazine_slots[MAGAZINE_SLOTS]
    __attribute__((tls_model("initial-exec")));

/* Finds or makes the set; NULL when there is no memory for one. */
magazine_set *magazine_set_find(magazine_layer *layer);

/* The set if this thread used this layer lately, else NULL. */
static inline magazine_set *magazine_set_quick(const magazine_layer *layer)
{
    const magazine_slot *slot = &magazine_slots[layer->id % MAGAZINE_SLOTS];
    return DP_LIKELY(slot->id == layer->id) ? slot->set : NULL;
}

static inline magazine_set *magazine_set_mine(magazine_layer *layer)
{
    magazine_set *set = magazine_set_quick(layer);
    return DP_LIKELY(set != NULL) ? set : magazine_set_find(layer);
}

/* ---- blocks ---- */

/* Pops from the loaded magazine, NULL when it is empty.  The caller counts. */
static inline dp_buf *magazine_pop(magazine *mag)
{
    dp_buf *buf = mag->loaded;
    if (DP_LIKELY(buf != NULL)) {
        mag->loaded = buf->next;
        mag->loaded_count--;
        /* The next get reads this descriptor; it may lie in another core's cache. */
        __builtin_prefetch(buf->next, 1);
    }
    return buf;
}

/* Pushes to the loaded magazine, false when it is full. */
static inline bool magazine_push(magazine *mag, dp_buf *buf)
{
    if (DP_UNLIKELY(mag->loaded_count >= mag->capacity))
        return false;
    buf->next = mag->loaded;
    mag->loaded = buf;
    mag->loaded_count++;
    return true;
}

/* Counts a get and marks the block as used. */
static inline void magazine_count_get(magazine *mag, dp_buf *buf)
{
    stats_add(&mag->gets, 1);
    if (DP_UNLIKELY((buf->flags & BUF_USED) == 0)) {
        buf->flags |= BUF_USED | BUF_NEW;
        stats_add(&mag->fresh, 1);
    }
}

/*
 * The whole way: magazine, depot, slab, tier, counted.  When the tier is full, what its depots and
 * this thread's magazines hold of other classes goes back first.  Errors: the tier's.
 */
dp_status magazine_get(magazine_layer *layer, dp_tier_id tier, unsigned size_class, dp_buf **out);

/* Takes one free block back, counted.  Cannot fail. */
void magazine_put(magazine_layer *layer, dp_buf *buf);

/* Counters of the calling thread that are not a magazine's. */
typedef enum magazine_counter {
    MAGAZINE_GETS_FAILED,
    MAGAZINE_FALLBACKS,
    MAGAZINE_BYTES_COPIED,
    MAGAZINE_FAILED /* + tier */
} magazine_counter;

void magazine_count(magazine_layer *layer, unsigned counter, uint64_t value);

/* ---- the layer ---- */

/* `slabs` are borrowed; an entry may be NULL.  DP_ERR_NOMEM. */
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
 * For tests, while no other thread is in a call: asserts that every chain is as long as it says and
 * holds free blocks of its own class, each once; returns how many blocks of `tier` rest here.
 */
uint64_t magazine_check(magazine_layer *layer, dp_tier_id tier);

#endif
