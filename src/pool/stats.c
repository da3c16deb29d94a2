/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: sums the threads' counters.
 *
 * A put may be read before the get it answers, on another thread; the only figure that could show
 * it is a difference, used_bytes, which is therefore held at 0 from below.  Once the threads are
 * quiet every figure is exact.
 */
#include "pool/stats.h"

#include "pool/magazine.h"

static const char *const family_names[DP_FAMILY_COUNT] = {
    [DP_FAMILY_TINY] = "tiny",
    [DP_FAMILY_MEDIUM] = "medium",
    [DP_FAMILY_LARGE] = "large",
};

const char *dp_family_name(dp_family family)
{
    return (unsigned)family < DP_FAMILY_COUNT ? family_names[family] : "unknown";
}

static void add_tier(dp_stats *stats, dp_tier_stats *tier, const magazine *magazines)
{
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        uint64_t puts = stats_load(&magazines[i].puts);
        uint64_t gets = stats_load(&magazines[i].gets);
        if ((gets | puts) == 0)
            continue;
        uint64_t fresh = stats_load(&magazines[i].fresh);
        dp_family family = size_class_family(i);
        stats->fallbacks += stats_load(&magazines[i].fallbacks);
        tier->gets[family] += gets;
        tier->puts[family] += puts;
        tier->fresh += fresh;
        tier->reused += gets - fresh;
        /* One thread's difference may be negative; the sum wraps back. */
        tier->used_bytes += (gets - puts) * size_class_bytes(i);
    }
}

static void add_set(void *user, const magazine_set *set)
{
    dp_stats *stats = user;
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        if (set->layer->first[tier] != 0)
            add_tier(stats, &stats->tiers[tier], &set->magazines[set->layer->first[tier]]);
        stats->tiers[tier].failed += stats_load(&set->counters.failed[tier]);
    }
    stats->gets_failed += stats_load(&set->counters.gets_failed);
    stats->bytes_copied += stats_load(&set->counters.bytes_copied);
    stats->bytes_delivered += stats_load(&set->counters.bytes_delivered);
}

typedef struct used_sum {
    dp_tier_id tier;
    uint64_t bytes;
} used_sum;

static void add_used(void *user, const magazine_set *set)
{
    used_sum *sum = user;
    const magazine *magazines = &set->magazines[set->layer->first[sum->tier]];
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        uint64_t puts = stats_load(&magazines[i].puts);
        sum->bytes += (stats_load(&magazines[i].gets) - puts) * size_class_bytes(i);
    }
}

uint64_t stats_used_bytes(struct magazine_layer *layer, dp_tier_id tier)
{
    used_sum sum = {.tier = tier};
    if (layer->first[tier] != 0)
        magazine_each(layer, add_used, &sum);
    return sum.bytes > INT64_MAX ? 0 : sum.bytes;
}

void stats_collect(struct magazine_layer *layer, dp_stats *out)
{
    *out = (dp_stats){0};
    magazine_each(layer, add_set, out);
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        dp_tier_stats *stats = &out->tiers[tier];
        if (stats->used_bytes > INT64_MAX)
            stats->used_bytes = 0;
        if (layer->slabs[tier] == NULL)
            continue;
        slab_stats slab_now;
        slab_stats_read(layer->slabs[tier], &slab_now);
        stats->region_calls = slab_now.region_calls;
        stats->capacity_bytes = slab_now.capacity_bytes;
    }
}
