/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: what the three files of the magazines share.  magazine.c has threads and their sets,
 * magazine_depot.c rounds and depots, magazine_check.c the walker; magazine.h explains the scheme.
 */
#ifndef DP_POOL_MAGAZINE_STATE_H
#define DP_POOL_MAGAZINE_STATE_H

#include "pool/magazine.h"

static inline dp_buf **rounds_base(magazine_rounds *rounds)
{
    return rounds->storage + MAGAZINE_AHEAD;
}

static inline magazine_rounds *rounds_of(dp_buf **base)
{
    return LIST_OF(base - MAGAZINE_AHEAD, magazine_rounds, storage);
}

/* The tier whose magazine that is. */
dp_tier_id depot_tier(const magazine_layer *layer, unsigned index);

/* Empty rounds, NULL when there is no memory. */
magazine_rounds *rounds_alloc(uint32_t capacity);

void depot_init(magazine_depot *depot, unsigned size_class);

/* Rounds with blocks for the caller, NULL when there are none.  `empty` (or NULL) stays here. */
magazine_rounds *depot_take_full(magazine_layer *layer, unsigned index, magazine_rounds *empty);

/*
 * Takes rounds with blocks over and gives back empty ones: those that lie here, else, when the
 * depot has enough, the caller's own after their blocks went to the slab.  NULL when there are
 * none.
 */
magazine_rounds *depot_give_full(magazine_layer *layer, unsigned index, magazine_rounds *rounds);

/* True when there was anything.  Empty rounds are freed too: memory is short. */
bool depots_drain(magazine_layer *layer, dp_tier_id tier);

#endif
