/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: counters that cost an add to a line the thread owns already.
 *
 * Each counter has one writer at a time (a thread, or whoever holds a lock), so adding is a relaxed
 * load and a relaxed store, not a locked read-modify-write; readers sum the threads' counters with
 * relaxed loads.  Nothing is ordered by them.  Gets and puts are counted by size class inside the
 * magazines, whose line the fast path has in hand; families are made of classes on reading.
 */
#ifndef DP_POOL_STATS_H
#define DP_POOL_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include <danpool/stats.h>

/* The counters of a thread that are not a magazine's. */
typedef struct stats_counters {
    _Atomic uint64_t gets_failed;
    _Atomic uint64_t bytes_copied;
    _Atomic uint64_t bytes_delivered;
    _Atomic uint64_t failed[DP_TIER_COUNT];
} stats_counters;

static inline uint64_t stats_load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* For the counter's only writer. */
static inline void stats_add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, stats_load(counter) + value, memory_order_relaxed);
}

struct magazine_layer;

/* Only the used_bytes of one tier. */
uint64_t stats_used_bytes(struct magazine_layer *layer, dp_tier_id tier);

/* Sums everything that the layer's threads, dead ones too, and its slabs have counted. */
void stats_collect(struct magazine_layer *layer, dp_stats *out);

#endif
