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
#include "pool/magazine_state.h"

#include <string.h>

#include "pool/nvtx_mark.h"
#include "pool/observe.h"

/* As large as any set; never written, so it takes no memory. */
static union {
    magazine_set set;
    char bytes[sizeof(magazine_set) +
               (1 + (size_t)DP_TIER_COUNT * SIZE_CLASS_COUNT) * sizeof(magazine)];
} absent;
#define ABSENT4 &absent.set, &absent.set, &absent.set, &absent.set
_Thread_local magazine_set *magazine_sets[MAGAZINE_SLOTS] = {ABSENT4, ABSENT4, ABSENT4, ABSENT4};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key; /* holds anything but NULL: only its destructor matters */
static bool thread_key_works;
#define SLOTS_ALL (((uint32_t)1 << MAGAZINE_SLOTS) - 1)
static uint32_t slots_used = 1;                 /* bits, under the registry's lock; 0 is nobody's */
static _Thread_local magazine_set *thread_sets; /* under the registry's lock too */
_Static_assert(MAGAZINE_SLOTS < 32, "a bit for each slot");

/* ---- a set's magazines ---- */

/* Makes the equation of magazine.h give `top`, after the rounds or the counters changed. */
static void magazine_top_set(magazine *mag, dp_buf **top)
{
    uint64_t loaded = stats_load(&mag->puts) - stats_load(&mag->gets);
    mag->origin = (uintptr_t)top - loaded * sizeof(dp_buf *);
}

/* Counts what went past the loaded rounds. */
static void magazine_count_past(magazine *mag, _Atomic uint64_t *counter, uint64_t value)
{
    dp_buf **top = magazine_top(mag);
    stats_add(counter, value);
    magazine_top_set(mag, top);
}

/* Takes the loaded rounds out, their count kept; NULL when there are none. */
static magazine_rounds *unload(magazine *mag)
{
    if (mag->base == NULL)
        return NULL;
    magazine_rounds *rounds = rounds_of(mag->base);
    rounds->count = (uint32_t)(magazine_top(mag) - mag->base);
    mag->base = NULL;
    mag->limit = NULL;
    magazine_top_set(mag, NULL);
    return rounds;
}

static void load(magazine *mag, magazine_rounds *rounds)
{
    mag->base = rounds_base(rounds);
    mag->limit = mag->base + rounds->capacity;
    magazine_top_set(mag, mag->base + rounds->count);
}

static bool is_idle(const magazine *mag)
{
    return mag->base == NULL && mag->previous == NULL;
}

/* What the thread holds of one class goes to the depot, or straight to the slab. */
static bool magazine_empty(magazine_layer *layer, magazine *mag, unsigned index, bool to_slab)
{
    bool any = false;
    magazine_rounds *both[] = {unload(mag), mag->previous};
    mag->previous = NULL;
    for (unsigned i = 0; i < 2; i++) {
        magazine_rounds *rounds = both[i];
        if (rounds != NULL && rounds->count > 0) {
            any = true;
            if (to_slab)
                slab_put(layer->slabs[depot_tier(layer, index)], rounds_base(rounds),
                         rounds->count);
            else
                rounds = depot_give_full(layer, index, rounds);
        }
        os_free(rounds);
    }
    return any;
}

static void set_flush(magazine_layer *layer, magazine_set *set)
{
    for (unsigned index = 1; index < layer->magazine_count; index++) {
        if (!is_idle(&set->magazines[index]))
            (void)magazine_empty(layer, &set->magazines[index], index, false);
    }
}

/* True when there was anything. */
static bool set_drain(magazine_layer *layer, magazine_set *set, dp_tier_id tier)
{
    bool any = false;
    for (unsigned i = 0; layer->first[tier] != 0 && i < SIZE_CLASS_COUNT; i++) {
        unsigned index = layer->first[tier] + i;
        if (!is_idle(&set->magazines[index]))
            any = magazine_empty(layer, &set->magazines[index], index, true) || any;
    }
    return any;
}

/* Makes the loaded rounds have a block, if anybody below has one. */
static dp_status magazine_fill(magazine_layer *layer, magazine *mag, unsigned index)
{
    magazine_rounds *loaded = unload(mag); /* empty */
    magazine_rounds *previous = mag->previous;
    if (previous != NULL && previous->count > 0) {
        mag->previous = loaded;
        load(mag, previous);
        return DP_OK;
    }
    magazine_rounds *spare = loaded != NULL && previous != NULL ? previous : NULL;
    magazine_rounds *full = depot_take_full(layer, index, spare);
    if (full != NULL) {
        mag->previous = loaded != NULL ? loaded : previous;
        load(mag, full);
        return DP_OK;
    }
    if (loaded == NULL)
        loaded = rounds_alloc(layer->depots[index].capacity);
    if (loaded == NULL)
        return DP_ERR_NOMEM;
    dp_tier_id tier = depot_tier(layer, index);
    unsigned got = 0;
    dp_status status = slab_get(layer->slabs[tier], index - layer->first[tier], loaded->capacity,
                                rounds_base(loaded), &got);
    loaded->count = got;
    load(mag, loaded);
    return status;
}

/* A block by the way that has no rounds, counted. */
static dp_status slab_get_one(magazine_layer *layer, magazine *mag, unsigned index, dp_buf **out)
{
    unsigned got = 0;
    dp_tier_id tier = depot_tier(layer, index);
    dp_status status = slab_get(layer->slabs[tier], index - layer->first[tier], 1, out, &got);
    if (status == DP_OK)
        magazine_count_past(mag, &mag->gets, 1);
    return status;
}

static dp_status refill(magazine_layer *layer, magazine *mag, unsigned index, dp_buf **out)
{
    if (layer->depots[index].capacity == 0)
        return slab_get_one(layer, mag, index, out);
    dp_status status = magazine_fill(layer, mag, index);
    if (status != DP_OK && mag->base == NULL) /* no memory for rounds */
        return slab_get_one(layer, mag, index, out);
    if (status == DP_OK)
        *out = magazine_pop(mag);
    return status;
}

/* As refill(), and told. */
static dp_status set_refill(magazine_layer *layer, magazine *mag, unsigned index, dp_buf **out)
{
    dp_tier_id tier = depot_tier(layer, index);
    unsigned size_class = index - layer->first[tier];
    nvtx_push(NVTX_REFILL, NVTX_CATEGORY(tier), size_class_bytes(size_class));
    dp_status status = refill(layer, mag, index, out);
    nvtx_pop();
    observe_refill(tier, size_class, status);
    return status;
}

static void count_got(magazine *mag, const magazine_want *want, dp_buf *buf)
{
    if (want->is_fallback)
        stats_add(&mag->fallbacks, 1);
    if (want->is_fresh != NULL)
        *want->is_fresh = buf->flags != 0;
    if (buf->flags != 0)
        magazine_count_fresh(mag, buf);
}

static dp_status set_get(magazine_layer *layer, magazine_set *set, const magazine_want *want,
                         dp_buf **out)
{
    dp_tier_id tier = want->tier;
    unsigned index = layer->first[tier] + want->size_class;
    magazine *mag = &set->magazines[index];
    dp_buf *buf = magazine_pop(mag);
    if (buf == NULL) {
        dp_status status = set_refill(layer, mag, index, &buf);
        if (status == DP_ERR_NOMEM || status == DP_ERR_QUOTA) {
            /* Full, but perhaps of blocks of other classes that nobody holds. */
            bool drained = set_drain(layer, set, tier);
            if (atomic_load_explicit(&layer->depot_bytes[tier], memory_order_relaxed) != 0)
                drained = depots_drain(layer, tier) || drained;
            if (drained) {
                observe_reclaim(layer->observer, tier);
                status = set_refill(layer, mag, index, &buf);
            }
        }
        if (status != DP_OK)
            return status;
    }
    count_got(mag, want, buf);
    *out = buf;
    return DP_OK;
}

/* Makes room in the loaded rounds; false when there is no memory for any. */
static bool magazine_make_room(magazine_layer *layer, magazine *mag, unsigned index)
{
    uint32_t capacity = layer->depots[index].capacity;
    magazine_rounds *loaded = unload(mag); /* full */
    magazine_rounds *previous = mag->previous;
    if (loaded == NULL && previous == NULL) {
        loaded = rounds_alloc(capacity);
        if (loaded != NULL)
            load(mag, loaded);
        return loaded != NULL;
    }
    if (loaded == NULL || (previous != NULL && previous->count == 0)) {
        mag->previous = loaded;
        load(mag, previous);
        return magazine_top(mag) != mag->limit;
    }
    magazine_rounds *empty = NULL;
    if (previous != NULL)
        empty = depot_give_full(layer, index, previous);
    if (empty == NULL)
        empty = rounds_alloc(capacity);
    if (empty == NULL) { /* then the loaded ones are emptied */
        slab_put(layer->slabs[depot_tier(layer, index)], rounds_base(loaded), loaded->count);
        loaded->count = 0;
        empty = loaded;
        loaded = NULL;
    }
    mag->previous = loaded;
    load(mag, empty);
    return true;
}

static void set_put(magazine_layer *layer, magazine_set *set, dp_buf *buf)
{
    magazine *mag = &set->magazines[buf->magazine];
    if (magazine_push(mag, buf))
        return;
    if (layer->depots[buf->magazine].capacity == 0 ||
        !magazine_make_room(layer, mag, buf->magazine)) {
        magazine_count_past(mag, &mag->puts, 1);
        slab_put(layer->slabs[buf->tier], &buf, 1);
        return;
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
    for (unsigned index = 1; index < into->layer->magazine_count; index++) {
        magazine *to = &into->magazines[index];
        const magazine *of = &from->magazines[index];
        magazine_count_past(to, &to->gets, stats_load(&of->gets));
        magazine_count_past(to, &to->puts, stats_load(&of->puts));
        fold(&to->fresh, &of->fresh);
        fold(&to->fallbacks, &of->fallbacks);
    }
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++)
        fold(&into->counters.failed[tier], &from->counters.failed[tier]);
    fold(&into->counters.gets_failed, &from->counters.gets_failed);
    fold(&into->counters.bytes_copied, &from->counters.bytes_copied);
    fold(&into->counters.bytes_delivered, &from->counters.bytes_delivered);
}

static magazine_set *set_alloc(magazine_layer *layer)
{
    size_t size_bytes = sizeof(magazine_set) + layer->magazine_count * sizeof(magazine);
    magazine_set *set = os_aligned(alignof(magazine_set), size_bytes);
    if (set == NULL)
        return NULL;
    memset(set, 0, size_bytes);
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
    if (set->slot != NULL)
        *set->slot = &absent.set;
}

/* Runs when a thread ends; a later destructor of that thread may make new sets, which ends here
 * again. */
static void thread_end(void *unused)
{
    (void)unused;
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
        if (layer->slot != 0) {
            set->slot = &magazine_sets[layer->slot];
            *set->slot = set;
        }
    }
    os_unlock(&registry_lock);
    return set;
}

/* ---- what the rungs above call ---- */

dp_buf *magazine_get_mine(magazine_layer *layer, const magazine_want *want)
{
    magazine_set *set = magazine_sets[layer->slot];
    if (set->layer == NULL)
        return NULL;
    magazine *mag = magazine_of(set, want->tier, want->size_class);
    dp_buf *buf = magazine_pop(mag);
    if (buf != NULL)
        count_got(mag, want, buf);
    return buf;
}

dp_status magazine_get(magazine_layer *layer, const magazine_want *want, dp_buf **out)
{
    magazine_set *set = magazine_set_mine(layer);
    if (DP_LIKELY(set != NULL))
        return set_get(layer, set, want, out);
    os_lock(&layer->shared_lock);
    dp_status status = set_get(layer, layer->shared, want, out);
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
    case MAGAZINE_BYTES_COPIED:
        return &set->counters.bytes_copied;
    case MAGAZINE_BYTES_DELIVERED:
        return &set->counters.bytes_delivered;
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

/* The lowest slot that is free, 0 when there is none: threads then look their set up in a list. */
static uint8_t slot_take(void)
{
    uint8_t slot = 0;
    os_lock(&registry_lock);
    if (slots_used != SLOTS_ALL) {
        slot = (uint8_t)__builtin_ctz(~slots_used);
        slots_used |= (uint32_t)1 << slot;
    }
    os_unlock(&registry_lock);
    return slot;
}

dp_status magazine_layer_create(slab *const slabs[DP_TIER_COUNT], magazine_layer *layer)
{
    DP_ASSERT(pthread_once(&thread_key_once, thread_key_make) == 0);
    *layer = (magazine_layer){.magazine_count = 1};
    memcpy(layer->slabs, slabs, sizeof layer->slabs);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        if (slabs[tier] == NULL)
            continue;
        layer->first[tier] = (uint16_t)layer->magazine_count;
        layer->magazine_count += SIZE_CLASS_COUNT;
    }
    size_t depots_bytes = layer->magazine_count * sizeof(magazine_depot);
    layer->shared = set_alloc(layer);
    layer->depots = os_aligned(alignof(magazine_depot), depots_bytes);
    if (layer->shared == NULL || layer->depots == NULL || !thread_key_works) {
        os_free(layer->shared);
        os_free(layer->depots);
        return DP_ERR_NOMEM;
    }
    memset(layer->depots, 0, depots_bytes);
    for (unsigned index = 1; index < layer->magazine_count; index++)
        depot_init(&layer->depots[index], (index - 1) % SIZE_CLASS_COUNT);
    list_init(&layer->sets);
    os_mutex_init(&layer->shared_lock);
    layer->slot = slot_take();
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        if (slabs[tier] != NULL)
            slab_bind(slabs[tier], &(slab_way_back){.slot = layer->slot,
                                                    .magazine_first = layer->first[tier],
                                                    .magazine_bytes = sizeof(magazine)});
    }
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
    if (layer->slot != 0)
        slots_used &= ~((uint32_t)1 << layer->slot);
    os_unlock(&registry_lock);
    set_flush(layer, layer->shared);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++)
        (void)depots_drain(layer, (dp_tier_id)tier);
    for (unsigned index = 1; index < layer->magazine_count; index++)
        os_mutex_destroy(&layer->depots[index].lock);
    os_mutex_destroy(&layer->shared_lock);
    os_free(layer->depots);
    os_free(layer->shared);
}
