/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: the slow paths of the magazines, the depots, and the sets of threads; magazine.h explains
 * the scheme and the lock order.
 *
 * The registry's lock is the one lock that outlives pools: it guards which thread has which set.
 * It is taken when a set is made or ends, and when counters are summed, never on the way of a
 * block.  A thread that ends while a pool is destroyed meets the destroyer here, and whichever
 * comes second finds nothing left to do.
 *
 * Memory order: blocks change threads inside a depot's or slab's mutex, which orders everything
 * written to a descriptor before it; no atomics of our own are needed on the way.
 */
#include "pool/magazine.h"

#include <string.h>

#include "pool/nvtx_mark.h"
#include "pool/observe.h"

_Thread_local magazine_slot magazine_slots[MAGAZINE_SLOTS];

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key; /* holds anything but NULL: only its destructor matters */
static bool thread_key_works;
static uint64_t layer_id_last;                  /* under the registry's lock */
static _Thread_local magazine_set *thread_sets; /* under the registry's lock too */

/* ---- depots ---- */

static magazine_depot *depot_of(magazine_layer *layer, const dp_buf *buf)
{
    return &layer->depots[buf->tier][buf->size_class];
}

static void depot_init(magazine_depot *depot, unsigned size_class)
{
    size_t block_bytes = size_class_bytes(size_class);
    size_t blocks = MAGAZINE_BYTES_MAX / block_bytes;
    if (blocks > MAGAZINE_BLOCKS_MAX)
        blocks = MAGAZINE_BLOCKS_MAX;
    os_mutex_init(&depot->lock);
    depot->capacity = blocks < 2 ? 0 : (uint32_t)blocks;
    size_t count_max = DEPOT_BYTES_MAX / (blocks * block_bytes + 1);
    depot->count_max =
        (uint32_t)(count_max > DEPOT_MAGAZINES_MAX ? DEPOT_MAGAZINES_MAX : count_max);
}

/* A whole chain for the caller, NULL when there is none. */
static dp_buf *depot_take(magazine_layer *layer, dp_tier_id tier, magazine_depot *depot)
{
    os_lock(&depot->lock);
    dp_buf *chain = depot->chains;
    if (chain != NULL) {
        depot->chains = chain->chain_next;
        depot->count--;
        atomic_fetch_sub_explicit(&layer->depot_chains[tier], 1, memory_order_relaxed);
    }
    os_unlock(&depot->lock);
    return chain;
}

/* Takes a chain of `count` blocks of one class; what is too much goes on to the slab. */
static void depot_give(magazine_layer *layer, dp_buf *chain, uint32_t count)
{
    if (chain == NULL)
        return;
    magazine_depot *depot = depot_of(layer, chain);
    chain->chain_count = count;
    os_lock(&depot->lock);
    bool taken = depot->count < depot->count_max;
    if (taken) {
        chain->chain_next = depot->chains;
        depot->chains = chain;
        depot->count++;
        atomic_fetch_add_explicit(&layer->depot_chains[chain->tier], 1, memory_order_relaxed);
    }
    os_unlock(&depot->lock);
    if (!taken)
        slab_put(layer->slabs[chain->tier], chain);
}

/* True when there was anything. */
static bool depots_drain(magazine_layer *layer, dp_tier_id tier)
{
    bool any = false;
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        dp_buf *chain;
        while ((chain = depot_take(layer, tier, &layer->depots[tier][i])) != NULL) {
            slab_put(layer->slabs[tier], chain);
            any = true;
        }
    }
    return any;
}

/* ---- a set's magazines ---- */

static void set_flush(magazine_layer *layer, magazine_set *set)
{
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
            magazine *mag = &set->magazines[tier][i];
            depot_give(layer, mag->previous, mag->previous_count);
            depot_give(layer, mag->loaded, mag->loaded_count);
            mag->previous = NULL;
            mag->loaded = NULL;
            mag->previous_count = 0;
            mag->loaded_count = 0;
        }
    }
}

/* True when there was anything. */
static bool set_drain(magazine_layer *layer, magazine_set *set, dp_tier_id tier)
{
    bool any = false;
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        magazine *mag = &set->magazines[tier][i];
        any = any || mag->loaded != NULL || mag->previous != NULL;
        if (mag->previous != NULL)
            slab_put(layer->slabs[tier], mag->previous);
        if (mag->loaded != NULL)
            slab_put(layer->slabs[tier], mag->loaded);
        mag->previous = NULL;
        mag->loaded = NULL;
        mag->previous_count = 0;
        mag->loaded_count = 0;
    }
    return any;
}

/* The work of set_refill(). */
static dp_status refill(magazine_layer *layer, magazine_set *set, dp_tier_id tier,
                        unsigned size_class, dp_buf **out)
{
    magazine *mag = &set->magazines[tier][size_class];
    magazine_depot *depot = &layer->depots[tier][size_class];
    mag->capacity = depot->capacity;
    unsigned got = 0;
    dp_buf *chain = mag->previous;
    if (chain != NULL) {
        got = mag->previous_count;
        mag->previous = NULL;
        mag->previous_count = 0;
    } else if ((chain = depot_take(layer, tier, depot)) != NULL) {
        got = chain->chain_count;
    } else {
        unsigned want = depot->capacity == 0 ? 1 : depot->capacity;
        dp_status status = slab_get(layer->slabs[tier], size_class, want, &chain, &got);
        if (status != DP_OK)
            return status;
    }
    mag->loaded = chain;
    mag->loaded_count = got;
    *out = magazine_pop(mag);
    return DP_OK;
}

/* Refills an empty loaded magazine and pops. */
static dp_status set_refill(magazine_layer *layer, magazine_set *set, dp_tier_id tier,
                            unsigned size_class, dp_buf **out)
{
    nvtx_push(NVTX_REFILL, NVTX_CATEGORY(tier), size_class_bytes(size_class));
    dp_status status = refill(layer, set, tier, size_class, out);
    nvtx_pop();
    observe_refill(tier, size_class, status);
    return status;
}

static dp_status set_get(magazine_layer *layer, magazine_set *set, dp_tier_id tier,
                         unsigned size_class, dp_buf **out)
{
    magazine *mag = &set->magazines[tier][size_class];
    dp_buf *buf = magazine_pop(mag);
    if (buf == NULL) {
        dp_status status = set_refill(layer, set, tier, size_class, &buf);
        if (status == DP_ERR_NOMEM || status == DP_ERR_QUOTA) {
            /* Full, but perhaps of blocks of other classes that nobody holds. */
            bool drained = set_drain(layer, set, tier);
            if (atomic_load_explicit(&layer->depot_chains[tier], memory_order_relaxed) != 0)
                drained = depots_drain(layer, tier) || drained;
            if (drained) {
                observe_reclaim(layer->observer, tier);
                status = set_refill(layer, set, tier, size_class, &buf);
            }
        }
        if (status != DP_OK)
            return status;
    }
    if ((buf->flags & BUF_USED) != 0)
        buf->flags &= (uint8_t)~BUF_NEW;
    magazine_count_get(mag, buf);
    *out = buf;
    return DP_OK;
}

static void set_put(magazine_layer *layer, magazine_set *set, dp_buf *buf)
{
    magazine *mag = &set->magazines[buf->tier][buf->size_class];
    stats_add(&mag->puts, 1);
    if (magazine_push(mag, buf))
        return;
    mag->capacity = depot_of(layer, buf)->capacity;
    if (mag->capacity == 0) {
        buf->next = NULL;
        slab_put(layer->slabs[buf->tier], buf);
        return;
    }
    if (mag->loaded_count == mag->capacity) {
        depot_give(layer, mag->previous, mag->previous_count);
        mag->previous = mag->loaded;
        mag->previous_count = mag->loaded_count;
        mag->loaded = NULL;
        mag->loaded_count = 0;
    }
    DP_ASSERT(magazine_push(mag, buf));
}

/* ---- sets and threads ---- */

static void fold(_Atomic uint64_t *into, const _Atomic uint64_t *from)
{
    stats_add(into, stats_load(from));
}

/* A dead thread's counts live on in the shared set. */
static void set_fold(magazine_set *into, const magazine_set *from)
{
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
            magazine *to = &into->magazines[tier][i];
            const magazine *of = &from->magazines[tier][i];
            fold(&to->gets, &of->gets);
            fold(&to->puts, &of->puts);
            fold(&to->fresh, &of->fresh);
        }
        fold(&into->counters.failed[tier], &from->counters.failed[tier]);
    }
    fold(&into->counters.gets_failed, &from->counters.gets_failed);
    fold(&into->counters.fallbacks, &from->counters.fallbacks);
    fold(&into->counters.bytes_copied, &from->counters.bytes_copied);
}

static magazine_set *set_alloc(magazine_layer *layer)
{
    magazine_set *set = os_aligned(alignof(magazine_set), sizeof *set);
    if (set == NULL)
        return NULL;
    memset(set, 0, sizeof *set);
    set->layer = layer;
    list_init(&set->layer_link);
    return set;
}

/* Under the registry's lock. */
static void set_unlink(magazine_set *set)
{
    list_remove(&set->layer_link);
    *set->thread_link = set->thread_next;
    if (set->thread_next != NULL)
        set->thread_next->thread_link = set->thread_link;
}

/* Runs when a thread ends; a later destructor of that thread may make new sets, which ends here
 * again. */
static void thread_end(void *unused)
{
    (void)unused;
    memset(magazine_slots, 0, sizeof magazine_slots);
    os_lock(&registry_lock);
    while (thread_sets != NULL) {
        magazine_set *set = thread_sets;
        magazine_layer *layer = set->layer;
        set_flush(layer, set);
        os_lock(&layer->shared_lock);
        set_fold(layer->shared, set);
        os_unlock(&layer->shared_lock);
        set_unlink(set);
        os_free(set);
    }
    os_unlock(&registry_lock);
}

static void thread_key_make(void)
{
    thread_key_works = pthread_key_create(&thread_key, thread_end) == 0;
}

magazine_set *magazine_set_find(magazine_layer *layer)
{
    os_lock(&registry_lock);
    magazine_set *set = thread_sets;
    while (set != NULL && set->layer != layer)
        set = set->thread_next;
    if (set == NULL && pthread_setspecific(thread_key, &thread_key) == 0)
        set = set_alloc(layer);
    if (set != NULL && list_is_empty(&set->layer_link)) {
        list_push_back(&layer->sets, &set->layer_link);
        set->thread_next = thread_sets;
        set->thread_link = &thread_sets;
        if (thread_sets != NULL)
            thread_sets->thread_link = &set->thread_next;
        thread_sets = set;
    }
    os_unlock(&registry_lock);
    if (set != NULL)
        magazine_slots[layer->id % MAGAZINE_SLOTS] = (magazine_slot){.id = layer->id, .set = set};
    return set;
}

/* ---- what the rungs above call ---- */

dp_status magazine_get(magazine_layer *layer, dp_tier_id tier, unsigned size_class, dp_buf **out)
{
    magazine_set *set = magazine_set_mine(layer);
    if (DP_LIKELY(set != NULL))
        return set_get(layer, set, tier, size_class, out);
    os_lock(&layer->shared_lock);
    dp_status status = set_get(layer, layer->shared, tier, size_class, out);
    os_unlock(&layer->shared_lock);
    return status;
}

void magazine_put(magazine_layer *layer, dp_buf *buf)
{
    magazine_set *set = magazine_set_mine(layer);
    if (DP_LIKELY(set != NULL)) {
        set_put(layer, set, buf);
        return;
    }
    os_lock(&layer->shared_lock);
    set_put(layer, layer->shared, buf);
    os_unlock(&layer->shared_lock);
}

static _Atomic uint64_t *counter_of(magazine_set *set, unsigned counter)
{
    switch (counter) {
    case MAGAZINE_GETS_FAILED:
        return &set->counters.gets_failed;
    case MAGAZINE_FALLBACKS:
        return &set->counters.fallbacks;
    case MAGAZINE_BYTES_COPIED:
        return &set->counters.bytes_copied;
    default:
        DP_ASSERT(counter - MAGAZINE_FAILED < DP_TIER_COUNT);
        return &set->counters.failed[counter - MAGAZINE_FAILED];
    }
}

void magazine_count(magazine_layer *layer, unsigned counter, uint64_t value)
{
    magazine_set *set = magazine_set_mine(layer);
    if (DP_LIKELY(set != NULL)) {
        stats_add(counter_of(set, counter), value);
        return;
    }
    os_lock(&layer->shared_lock);
    stats_add(counter_of(layer->shared, counter), value);
    os_unlock(&layer->shared_lock);
}

void magazine_flush(magazine_layer *layer)
{
    magazine_set *set = magazine_set_mine(layer);
    if (set != NULL)
        set_flush(layer, set);
}

void magazine_drain(magazine_layer *layer, dp_tier_id tier)
{
    magazine_set *set = magazine_set_mine(layer);
    if (set != NULL)
        (void)set_drain(layer, set, tier);
    (void)depots_drain(layer, tier);
}

void magazine_each(magazine_layer *layer, void (*visit)(void *user, const magazine_set *set),
                   void *user)
{
    os_lock(&registry_lock);
    LIST_EACH(node, &layer->sets)
    visit(user, LIST_OF(node, magazine_set, layer_link));
    visit(user, layer->shared);
    os_unlock(&registry_lock);
}

dp_status magazine_layer_create(slab *const slabs[DP_TIER_COUNT], magazine_layer *layer)
{
    DP_ASSERT(pthread_once(&thread_key_once, thread_key_make) == 0);
    size_t depots_bytes = DP_TIER_COUNT * sizeof *layer->depots;
    magazine_set *shared = set_alloc(layer);
    magazine_depot(*depots)[SIZE_CLASS_COUNT] = os_aligned(alignof(magazine_depot), depots_bytes);
    if (shared == NULL || depots == NULL || !thread_key_works) {
        os_free(shared);
        os_free(depots);
        return DP_ERR_NOMEM;
    }
    memset(depots, 0, depots_bytes);
    *layer = (magazine_layer){.depots = depots, .shared = shared};
    memcpy(layer->slabs, slabs, sizeof layer->slabs);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
            depot_init(&depots[tier][i], i);
    }
    list_init(&layer->sets);
    os_mutex_init(&layer->shared_lock);
    os_lock(&registry_lock);
    layer->id = ++layer_id_last;
    os_unlock(&registry_lock);
    return DP_OK;
}

void magazine_layer_destroy(magazine_layer *layer)
{
    os_lock(&registry_lock);
    while (!list_is_empty(&layer->sets)) {
        magazine_set *set = LIST_OF(layer->sets.next, magazine_set, layer_link);
        set_flush(layer, set);
        set_unlink(set);
        os_free(set);
    }
    os_unlock(&registry_lock);
    set_flush(layer, layer->shared);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        (void)depots_drain(layer, (dp_tier_id)tier);
        for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
            os_mutex_destroy(&layer->depots[tier][i].lock);
    }
    os_mutex_destroy(&layer->shared_lock);
    os_free(layer->depots);
    os_free(layer->shared);
}

/* ---- the walker ---- */

static uint64_t chain_check(dp_buf *chain, uint32_t count, unsigned tier, unsigned size_class)
{
    uint64_t seen = 0;
    for (dp_buf *buf = chain; buf != NULL; buf = buf->next) {
        DP_ASSERT(buf->tier == tier && buf->size_class == size_class);
        DP_ASSERT(atomic_load_explicit(&buf->references, memory_order_relaxed) == 0);
        DP_ASSERT((buf->flags & BUF_MARK) == 0);
        buf->flags |= BUF_MARK;
        seen++;
    }
    DP_ASSERT(seen == count);
    return seen;
}

static void chain_unmark(dp_buf *chain)
{
    for (dp_buf *buf = chain; buf != NULL; buf = buf->next)
        buf->flags &= (uint8_t)~BUF_MARK;
}

typedef struct walk {
    unsigned tier;
    unsigned size_class;
    bool unmark;
    uint64_t blocks;
} walk;

static void walk_chain(walk *at, dp_buf *chain, uint32_t count)
{
    if (at->unmark)
        chain_unmark(chain);
    else
        at->blocks += chain_check(chain, count, at->tier, at->size_class);
}

static void walk_set(void *user, const magazine_set *set)
{
    walk *at = user;
    const magazine *mag = &set->magazines[at->tier][at->size_class];
    walk_chain(at, mag->loaded, mag->loaded_count);
    walk_chain(at, mag->previous, mag->previous_count);
}

/* Goes twice over all chains of a class: marking, so that a block in two of them is found, and
 * unmarking. */
static void walk_class(magazine_layer *layer, walk *at)
{
    const magazine_depot *depot = &layer->depots[at->tier][at->size_class];
    uint32_t chains = 0;
    for (dp_buf *chain = depot->chains; chain != NULL; chain = chain->chain_next) {
        walk_chain(at, chain, chain->chain_count);
        chains++;
    }
    DP_ASSERT(chains == depot->count);
    magazine_each(layer, walk_set, at);
}

uint64_t magazine_check(magazine_layer *layer, dp_tier_id tier)
{
    walk at = {.tier = tier};
    for (at.size_class = 0; at.size_class < SIZE_CLASS_COUNT; at.size_class++) {
        at.unmark = false;
        walk_class(layer, &at);
        at.unmark = true;
        walk_class(layer, &at);
    }
    return at.blocks;
}
