/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: rounds, and the depots through which whole rounds go from thread to thread.
 *
 * A depot's lock covers its two stacks and nothing else: no memory is taken and no slab is called
 * under it.  Rounds belong to whoever took them out.
 */
#include "pool/magazine_state.h"

/* ---- rounds ---- */

magazine_rounds *rounds_alloc(uint32_t capacity)
{
    size_t entries = MAGAZINE_AHEAD + (size_t)capacity;
    magazine_rounds *rounds = os_aligned(64, sizeof *rounds + entries * sizeof(dp_buf *));
    if (rounds == NULL)
        return NULL;
    *rounds = (magazine_rounds){.capacity = capacity};
    for (unsigned i = 0; i < MAGAZINE_AHEAD; i++)
        rounds->storage[i] = (dp_buf *)(void *)rounds;
    return rounds;
}

static void rounds_free(magazine_rounds *rounds)
{
    while (rounds != NULL) {
        magazine_rounds *next = rounds->next;
        os_free(rounds);
        rounds = next;
    }
}

/* ---- depots ---- */

dp_tier_id depot_tier(const magazine_layer *layer, unsigned index)
{
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        if (layer->first[tier] != 0 && index - layer->first[tier] < SIZE_CLASS_COUNT)
            return (dp_tier_id)tier;
    }
    return DP_TIER_NONE;
}

void depot_init(magazine_depot *depot, unsigned size_class)
{
    size_t block_bytes = size_class_bytes(size_class);
    size_t blocks = MAGAZINE_BYTES_MAX / block_bytes;
    if (blocks > MAGAZINE_BLOCKS_MAX)
        blocks = MAGAZINE_BLOCKS_MAX;
    os_mutex_init(&depot->lock);
    depot->capacity = blocks < 2 ? 0 : (uint32_t)blocks;
}

/* What the depots of a tier may keep.  Relaxed: a bound that moves slowly is not missed by much. */
static bool depots_have_room(const magazine_layer *layer, dp_tier_id tier)
{
    size_t bytes_max = slab_capacity_bytes(layer->slabs[tier]) / DEPOTS_SHARE_OF_TIER;
    if (bytes_max < DEPOTS_BYTES_MAX)
        bytes_max = DEPOTS_BYTES_MAX;
    return atomic_load_explicit(&layer->depot_bytes[tier], memory_order_relaxed) < bytes_max;
}

static size_t rounds_bytes(const magazine_layer *layer, unsigned index,
                           const magazine_rounds *rounds)
{
    dp_tier_id tier = depot_tier(layer, index);
    return rounds->count * size_class_bytes(index - layer->first[tier]);
}

magazine_rounds *depot_take_full(magazine_layer *layer, unsigned index, magazine_rounds *empty)
{
    magazine_depot *depot = &layer->depots[index];
    os_lock(&depot->lock);
    magazine_rounds *rounds = depot->full;
    if (rounds != NULL) {
        depot->full = rounds->next;
        depot->full_count--;
        rounds->next = NULL;
        atomic_fetch_sub_explicit(&layer->depot_bytes[depot_tier(layer, index)],
                                  rounds_bytes(layer, index, rounds), memory_order_relaxed);
        if (empty != NULL) {
            empty->next = depot->empty;
            depot->empty = empty;
            depot->empty_count++;
        }
    }
    os_unlock(&depot->lock);
    return rounds;
}

magazine_rounds *depot_give_full(magazine_layer *layer, unsigned index, magazine_rounds *rounds)
{
    magazine_depot *depot = &layer->depots[index];
    dp_tier_id tier = depot_tier(layer, index);
    os_lock(&depot->lock);
    bool taken = depot->full_count < DEPOT_MAGAZINES_MAX && depots_have_room(layer, tier);
    magazine_rounds *empty = NULL;
    if (taken) {
        rounds->next = depot->full;
        depot->full = rounds;
        depot->full_count++;
        atomic_fetch_add_explicit(&layer->depot_bytes[tier], rounds_bytes(layer, index, rounds),
                                  memory_order_relaxed);
        empty = depot->empty;
        if (empty != NULL) {
            depot->empty = empty->next;
            depot->empty_count--;
            empty->next = NULL;
        }
    }
    os_unlock(&depot->lock);
    if (taken)
        return empty;
    slab_put(layer->slabs[tier], rounds_base(rounds), rounds->count);
    rounds->count = 0;
    return rounds;
}

bool depots_drain(magazine_layer *layer, dp_tier_id tier)
{
    bool any = false;
    for (unsigned i = 0; layer->first[tier] != 0 && i < SIZE_CLASS_COUNT; i++) {
        unsigned index = layer->first[tier] + i;
        magazine_depot *depot = &layer->depots[index];
        magazine_rounds *rounds;
        while ((rounds = depot_take_full(layer, index, NULL)) != NULL) {
            slab_put(layer->slabs[tier], rounds_base(rounds), rounds->count);
            os_free(rounds);
            any = true;
        }
        os_lock(&depot->lock);
        magazine_rounds *empty = depot->empty;
        depot->empty = NULL;
        depot->empty_count = 0;
        os_unlock(&depot->lock);
        rounds_free(empty);
    }
    return any;
}
