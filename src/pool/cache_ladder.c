/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ladder that a volatile copy goes down when its level is full, and up again when it is hit.
 *
 *     home tier -> what the routing rule of its kind names behind it -> pmem -> dropped
 *     hbm       -> pinned -> host                                    -> pmem -> dropped
 *
 * A level is the tiers of one budget: each tier that the configuration gives a budget is a level of
 * its own, the others are on host's together.  A step moves one entry to another level, with the
 * entry busy and the lock given up while bytes are copied: lookups go on being served from the copy
 * that is left.  What somebody else holds stays where it is.  A movable buffer is moved, so that it
 * stays the same one; of any other a copy is made and takes its place.
 *
 * Down: to the next level that could ever hold it, whether there is room there or not, since what
 * is too much there goes on down by the same rule; but an entry that pmem has too goes to pmem for
 * nothing when the levels between have no room.  Up: only into room below the low watermark, so
 * that what rises pushes nobody down, and only by dp_cache_maintain(), so that no lookup waits.
 */
#include "pool/cache_internal.h"

#include "pool/movable.h"
#include "pool/os.h"

#define CACHE_HOST_BYTES_DEFAULT ((size_t)256 << 20)

static void level_init(cache_level *level, size_t bytes_max, unsigned low_percent)
{
    evict_init(&level->order);
    level->bytes_max = bytes_max;
    level->bytes_low = bytes_max / 100 * low_percent + bytes_max % 100 * low_percent / 100;
}

dp_status cache_levels_init(dp_cache *cache, const dp_cache_config *config)
{
    unsigned low_percent = config->low_percent != 0 ? config->low_percent : 100;
    size_t host_bytes_max = config->host_bytes_max;
    if (low_percent > 100 || config->tier_bytes_max[DP_TIER_HOST] != 0 ||
        config->tier_bytes_max[DP_TIER_PMEM] != 0) {
        return DP_ERR_INVALID;
    }
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        size_t bytes_max = config->tier_bytes_max[id];
        cache->level_of[id] = (uint8_t)(bytes_max != 0 ? id : DP_TIER_HOST);
        level_init(&cache->levels[id], bytes_max, low_percent);
    }
    level_init(&cache->levels[DP_TIER_HOST],
               host_bytes_max != 0 ? host_bytes_max : CACHE_HOST_BYTES_DEFAULT, low_percent);
    list_init(&cache->rising);
    return DP_OK;
}

/* Its rungs from home down; their number. */
static unsigned ladder_of(const dp_cache *cache, const cache_entry *entry,
                          dp_tier_id rungs[DP_TIER_COUNT + 1])
{
    dp_request request = {.size_bytes = entry->size_bytes,
                          .kind = (uint8_t)entry->kind,
                          .priority = (uint8_t)entry->priority};
    dp_tier_id tiers[DP_TIER_COUNT];
    size_t rule;
    unsigned first = 0;
    unsigned end = 0;
    if (dp_pool_route(cache->pool, &request, tiers, &rule) == DP_OK) {
        for (; end < DP_TIER_COUNT && tiers[end] != DP_TIER_NONE; end++) {
            first = tiers[end] == entry->home ? end + 1 : first;
        }
    }
    unsigned count = 0;
    rungs[count++] = entry->home;
    for (unsigned i = first; i < end; i++) {
        rungs[count++] = tiers[i];
    }
    return count;
}

/* Where on its ladder it is; at the top when its owner moved it somewhere else. */
static unsigned rung_of(const cache_entry *entry, const dp_tier_id rungs[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (rungs[i] == entry->tier) {
            return i;
        }
    }
    return 0;
}

/*
 * The owner may have moved a movable buffer: the sums follow.  Not while the entry is busy, since
 * then another thread reads entry->buf without the lock.
 */
static void host_follow(dp_cache *cache, cache_entry *entry)
{
    if (!entry->busy && dp_buf_tier(entry->buf) != entry->tier) {
        dp_buf *buf = dp_ref(entry->buf);
        cache_host_drop(cache, entry);
        cache_host_attach(cache, entry, buf);
    }
}

void cache_host_touch(dp_cache *cache, cache_entry *entry)
{
    host_follow(cache, entry);
    evict_touch(&cache_level_of(cache, entry->tier)->order, &entry->host_node);
    if (entry->tier == entry->home) {
        return;
    }
    if (entry->warm && list_is_empty(&entry->rise)) {
        list_push_back(&cache->rising, &entry->rise);
    }
    entry->warm = true;
}

/* --- moving --- */

typedef enum move_result {
    MOVED,
    MOVE_FAILED, /* that tier has no memory, or a copy failed: another one may do */
    MOVE_LATE    /* somebody took a reference meanwhile: it stays */
} move_result;

/* Makes what takes the place of `from`, which may be `from` itself.  Without the lock. */
static dp_status replace(dp_cache *cache, const cache_entry *entry, dp_tier_id tier, dp_buf **out)
{
    dp_buf *from = entry->buf;
    if (buf_is_movable(from)) {
        dp_status status = dp_buf_migrate(from, tier);
        if (status == DP_OK) {
            *out = dp_ref(from);
        }
        return status;
    }
    dp_request request = {.size_bytes = entry->size_bytes,
                          .kind = (uint8_t)entry->kind,
                          .priority = (uint8_t)entry->priority};
    dp_buf *copy = NULL;
    nvtx_push(NVTX_MIGRATE, NVTX_CATEGORY(tier), entry->size_bytes);
    dp_status status = buf_get_in(cache->pool, tier, &request, &copy);
    if (status == DP_OK) {
        status = buf_copy(copy, from, entry->size_bytes);
    }
    nvtx_pop();
    if (status != DP_OK) {
        dp_put(copy);
        return status;
    }
    observe_migrate(cache->observer, dp_buf_tier(from), tier, entry->size_bytes);
    *out = copy;
    return DP_OK;
}

/* With the lock, which it gives up while it copies. */
static move_result entry_move(dp_cache *cache, cache_entry *entry, dp_tier_id tier)
{
    dp_buf *copy = NULL;
    cache_level *level = cache_level_of(cache, entry->tier);
    entry->busy = true;
    level->bytes_leaving += entry->size_bytes;
    os_unlock(&cache->lock);
    dp_status status = replace(cache, entry, tier, &copy);
    os_lock(&cache->lock);
    level->bytes_leaving -= entry->size_bytes;
    cache_busy_end(cache, entry);
    /* Of a movable buffer one reference is `copy`; it has moved, whoever holds it by now. */
    bool late = copy != entry->buf && buf_references(entry->buf) > 1;
    if (status != DP_OK || late) {
        dp_put(copy);
        return late ? MOVE_LATE : MOVE_FAILED;
    }
    cache_host_drop(cache, entry);
    cache_host_attach(cache, entry, copy);
    return MOVED;
}

bool cache_step_down(dp_cache *cache, cache_entry *entry)
{
    dp_tier_id rungs[DP_TIER_COUNT + 1];
    host_follow(cache, entry);
    unsigned count = ladder_of(cache, entry, rungs);
    const cache_level *here = cache_level_of(cache, entry->tier);
    for (unsigned i = rung_of(entry, rungs, count) + 1; i < count; i++) {
        const cache_level *level = cache_level_of(cache, rungs[i]);
        bool has_room = entry->size_bytes <= level->bytes_max &&
                        level->order.bytes <= level->bytes_max - entry->size_bytes;
        if (level == here || entry->size_bytes > level->bytes_max || (entry->stored && !has_room)) {
            continue;
        }
        move_result result = entry_move(cache, entry, rungs[i]);
        if (result != MOVE_FAILED) {
            cache->stats.demoted += result == MOVED;
            return true;
        }
    }
    return false;
}

/* As high as there is room; best effort. */
static void step_up(dp_cache *cache, cache_entry *entry)
{
    dp_tier_id rungs[DP_TIER_COUNT + 1];
    unsigned count = ladder_of(cache, entry, rungs);
    unsigned at = rung_of(entry, rungs, count);
    const cache_level *here = cache_level_of(cache, entry->tier);
    for (unsigned i = 0; i < at; i++) {
        const cache_level *level = cache_level_of(cache, rungs[i]);
        if (entry->busy || buf_references(entry->buf) > 1) {
            return;
        }
        if (level == here || entry->size_bytes > level->bytes_low ||
            level->order.bytes > level->bytes_low - entry->size_bytes) {
            continue;
        }
        move_result result = entry_move(cache, entry, rungs[i]);
        if (result != MOVE_FAILED) {
            cache->stats.promoted += result == MOVED;
            return;
        }
    }
}

unsigned dp_cache_maintain(dp_cache *cache, unsigned steps_max)
{
    unsigned steps = cache_host_make_room(cache, steps_max, true);
    os_lock(&cache->lock);
    for (; steps < steps_max && !list_is_empty(&cache->rising); steps++) {
        cache_entry *entry = LIST_OF(cache->rising.next, cache_entry, rise);
        list_remove(&entry->rise);
        step_up(cache, entry);
    }
    os_unlock(&cache->lock);
    return steps;
}
