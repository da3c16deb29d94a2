/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: the walker of the magazines.  Goes over every block that rests in a thread or a depot and
 * asserts that it is there once and where it belongs; for tests, while no other thread is in a
 * call.
 */
#include "pool/magazine_state.h"

typedef struct walk {
    magazine_layer *layer;
    dp_tier_id tier;
    unsigned index;
    bool unmark;
    uint64_t blocks;
} walk;

static void walk_blocks(walk *at, dp_buf *const *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dp_buf *buf = blocks[i];
        if (at->unmark) {
            buf->flags &= (uint8_t)~BUF_MARK;
            continue;
        }
        DP_ASSERT(buf->tier == at->tier && buf->magazine == at->index);
        DP_ASSERT(atomic_load_explicit(&buf->references, memory_order_relaxed) == 0);
        DP_ASSERT((buf->flags & ~BUF_FRESH) == 0); /* a mark: it is here twice */
        buf->flags |= BUF_MARK;
        at->blocks++;
    }
}

static void walk_set(void *user, const magazine_set *set)
{
    walk *at = user;
    const magazine *mag = &set->magazines[at->index];
    dp_buf **top = magazine_top(mag);
    DP_ASSERT(top >= mag->base && top <= mag->limit);
    if (mag->base != NULL)
        walk_blocks(at, mag->base, (size_t)(top - mag->base));
    if (mag->previous != NULL)
        walk_blocks(at, rounds_base(mag->previous), mag->previous->count);
}

/* Goes twice over all rounds of a class: marking, so that a block in two of them is found, and
 * unmarking. */
static void walk_class(walk *at)
{
    const magazine_depot *depot = &at->layer->depots[at->index];
    uint32_t full = 0;
    for (magazine_rounds *rounds = depot->full; rounds != NULL; rounds = rounds->next) {
        DP_ASSERT(rounds->count > 0 && rounds->count <= rounds->capacity);
        walk_blocks(at, rounds_base(rounds), rounds->count);
        full++;
    }
    DP_ASSERT(full == depot->full_count);
    uint32_t empty = 0;
    for (magazine_rounds *rounds = depot->empty; rounds != NULL; rounds = rounds->next) {
        DP_ASSERT(rounds->count == 0);
        empty++;
    }
    DP_ASSERT(empty == depot->empty_count);
    magazine_each(at->layer, walk_set, at);
}

uint64_t magazine_check(magazine_layer *layer, dp_tier_id tier)
{
    walk at = {.layer = layer, .tier = tier};
    for (unsigned i = 0; layer->first[tier] != 0 && i < SIZE_CLASS_COUNT; i++) {
        at.index = layer->first[tier] + i;
        at.unmark = false;
        walk_class(&at);
        at.unmark = true;
        walk_class(&at);
    }
    return at.blocks;
}
