/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the cache's ladder share: a pool over fakes (host, pinned, and an hbm that the
 * CPU cannot see) with a cache whose budgets are counted in entries.
 *
 * Entries are 10,000 bytes of kind surface, which the shipped rules send to pinned and host.  Main
 * thread only, but for insert() and look_up(), which assert without cmocka.
 */
#ifndef DP_TESTS_LADDER_RIG_H
#define DP_TESTS_LADDER_RIG_H

#include "cm.h"

#include <string.h>

#include <danpool/cache.h>
#include <danpool/stats.h>

#include "fake_tier.h"
#include "pool/os.h"
#include "pool/pool_internal.h"
#include "tier_rig.h"

/* The tiers that the rig has. */
static const dp_tier_id rig_ids[] = {DP_TIER_HOST, DP_TIER_PINNED, DP_TIER_HBM};
#define RIG_IDS (sizeof rig_ids / sizeof rig_ids[0])

#define ENTRY_BYTES ((size_t)10000)

typedef struct rig {
    fake_tier_counts counts[DP_TIER_COUNT];
    dp_tier *tiers[DP_TIER_COUNT]; /* before the pool took them over */
    dp_pool *pool;
    dp_cache *cache;
} rig;

static inline void tiers_make(rig *at)
{
    memset(at, 0, sizeof *at);
    for (unsigned i = 0; i < RIG_IDS; i++) {
        dp_tier_id id = rig_ids[i];
        fake_tier_plan plan = {.id = id, .device_only = id == DP_TIER_HBM};
        assert_non_null(at->tiers[id] = fake_tier_open(&plan, &at->counts[id]));
    }
}

/* Budgets in entries. */
static inline dp_cache_config budgets(size_t hbm, size_t pinned, size_t host)
{
    return (dp_cache_config){
        .host_bytes_max = host * ENTRY_BYTES,
        .tier_bytes_max = {
            [DP_TIER_PINNED] = pinned * ENTRY_BYTES, [DP_TIER_HBM] = hbm * ENTRY_BYTES}};
}

static inline dp_status rig_start(rig *at, const dp_cache_config *config)
{
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    dp_status status = pool_create_over(&pool_config, at->tiers, &at->pool);
    if (status != DP_OK) {
        return status;
    }
    status = dp_cache_create(at->pool, config, &at->cache);
    if (status != DP_OK) {
        dp_pool_destroy(at->pool);
    }
    return status;
}

static inline void rig_open(rig *at, dp_cache_config config)
{
    tiers_make(at);
    assert_int_equal(rig_start(at, &config), DP_OK);
}

static inline void rig_close(rig *at)
{
    dp_cache_destroy(at->cache);
    pool_check(at->pool);
    dp_pool_destroy(at->pool);
}

/* What one insert is made of. */
typedef struct given {
    uint64_t number;
    size_t size_bytes; /* 0: ENTRY_BYTES */
    dp_tier_id tier;
    dp_priority priority;
    bool persistent;
    bool movable;
} given;

static inline dp_status insert(rig *at, const given *what)
{
    size_t size_bytes = what->size_bytes != 0 ? what->size_bytes : ENTRY_BYTES;
    unsigned char *bytes = os_aligned(64, size_bytes);
    if (bytes == NULL) {
        return DP_ERR_NOMEM;
    }
    rig_fill(bytes, size_bytes, what->number);
    dp_request request = {.size_bytes = size_bytes,
                          .kind = DP_KIND_SURFACE,
                          .flags = what->movable ? DP_GET_MOVABLE : 0};
    dp_cache_entry entry = {.priority = what->priority, .persistent = what->persistent};
    dp_status status = what->movable ? dp_get(at->pool, &request, &entry.buf)
                                     : buf_get_in(at->pool, what->tier, &request, &entry.buf);
    if (status == DP_OK && what->movable) {
        status = dp_buf_migrate(entry.buf, what->tier);
    }
    if (status == DP_OK) {
        status = dp_buf_write(entry.buf, 0, bytes, size_bytes);
    }
    dp_cache_key key = rig_key(what->number);
    if (status == DP_OK) {
        status = dp_cache_insert(at->cache, &key, &entry, NULL);
    }
    dp_put(entry.buf);
    os_free(bytes);
    return status;
}

static inline void insert_hbm(rig *at, uint64_t number, dp_priority priority)
{
    given what = {.number = number, .tier = DP_TIER_HBM, .priority = priority};
    assert_int_equal(insert(at, &what), DP_OK);
}

/* One lookup; the entry's bytes are compared wherever they are.  Without cmocka, for threads. */
static inline dp_tier_id look_up(rig *at, uint64_t number)
{
    static _Thread_local unsigned char bytes[100000];
    dp_cache_key key = rig_key(number);
    dp_cache_entry entry;
    dp_status status = dp_cache_lookup(at->cache, &key, &entry);
    if (status != DP_OK) {
        DP_ASSERT(status == DP_ERR_NOT_FOUND);
        return DP_TIER_NONE;
    }
    size_t size_bytes = dp_buf_size(entry.buf);
    DP_ASSERT(size_bytes <= sizeof bytes);
    /* Once more, since the failure that a sweep planted may still be to come. */
    DP_ASSERT(dp_buf_read(entry.buf, 0, bytes, size_bytes) == DP_OK ||
              dp_buf_read(entry.buf, 0, bytes, size_bytes) == DP_OK);
    DP_ASSERT(rig_is_filled(bytes, size_bytes, number));
    dp_tier_id tier = dp_buf_tier(entry.buf);
    dp_put(entry.buf);
    return tier;
}

static inline dp_cache_stats stats_of(const rig *at)
{
    dp_cache_stats stats;
    dp_cache_stats_read(at->cache, &stats);
    return stats;
}

#endif
