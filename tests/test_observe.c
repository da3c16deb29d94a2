/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the slow paths tell of themselves: latencies, and the events of a recording that are neither
 * get nor put.
 */
#include "cm.h"

#include <string.h>

#include <danpool/cache.h>
#include <danpool/trace.h>

#include "dp_features.h"
#include "pool/observe.h"
#include "pool/trace_file.h"
#include "pool_rig.h"
#include "tier_rig.h"

/* The events of one type that the pool has recorded of one tier, and the last of them. */
static size_t recorded(dp_pool *pool, dp_trace_event type, dp_tier_id tier, trace_event *last)
{
    trace_file file;
    size_t count = 0;
    assert_int_equal(trace_file_from(&pool_observer(pool)->trace, &file), DP_OK);
    for (size_t i = 0; i < file.event_count; i++) {
        const trace_event *event = &file.events[i];
        if (event->type != (uint8_t)type || event->tier != (uint8_t)tier)
            continue;
        count++;
        if (last != NULL)
            *last = *event;
    }
    trace_file_clear(&file);
    return count;
}

/* ---- latencies ---- */

static void slow_gets_are_timed_and_the_others_counted(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_latency latency;
    assert_int_equal(dp_latency_read(rig.pool, DP_LATENCY_COUNT, DP_TIER_HOST, &latency),
                     DP_ERR_INVALID);
    assert_int_equal(dp_latency_read(rig.pool, DP_LATENCY_GET, DP_TIER_NONE, &latency),
                     DP_ERR_INVALID);
    for (unsigned i = 0; i < 1000; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64)); /* the first one is slow */
    for (unsigned i = 0; i < 10; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 100000)); /* no magazine keeps these */
    assert_int_equal(dp_latency_read(rig.pool, DP_LATENCY_GET, DP_TIER_HOST, &latency), DP_OK);
    assert_int_equal(latency.count, 11);
    assert_int_equal(latency.untimed, 999);
    assert_in_range(latency.sum_ns, latency.max_ns + 10, 11 * latency.max_ns);
    assert_true(0 < latency.p50_ns && latency.p50_ns <= latency.p99_ns);
    assert_true(latency.p99_ns <= latency.p999_ns && latency.p999_ns <= latency.max_ns);
    assert_int_equal(dp_latency_read(rig.pool, DP_LATENCY_GET, DP_TIER_HBM, &latency), DP_OK);
    assert_int_equal(latency.count + latency.untimed + latency.max_ns, 0);
    pool_rig_close(&rig);
}

static void tier_calls_are_timed_once_each_also_through_a_decorator(void **state)
{
    (void)state;
    pool_rig rig = {0};
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.budget_bytes_max[DP_TIER_HOST] = (size_t)64 << 20; /* wraps the tier */
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    const fake_tier_plan plans[2] = {{.id = DP_TIER_HOST},
                                     {.id = DP_TIER_HBM, .device_only = true}};
    for (unsigned i = 0; i < 2; i++)
        tiers[plans[i].id] = fake_tier_open(&plans[i], &rig.counts[plans[i].id]);
    assert_int_equal(pool_create_over(&config, tiers, &rig.pool), DP_OK);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64));
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 1 << 20));
    dp_latency latency;
    assert_int_equal(dp_latency_read(rig.pool, DP_LATENCY_TIER_CALL, DP_TIER_HOST, &latency),
                     DP_OK);
    assert_int_equal(latency.count, rig.counts[DP_TIER_HOST].calls);
    assert_int_equal(latency.count, 2);
    assert_int_equal(latency.untimed, 0);
    dp_request request = {.size_bytes = 64, .kind = DP_KIND_SURFACE, .batch_size = 8};
    dp_buf *buf = NULL;
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_write(buf, 0, "abc", 3), DP_OK); /* a copy is a call too */
    dp_put(buf);
    assert_int_equal(dp_latency_read(rig.pool, DP_LATENCY_TIER_CALL, DP_TIER_HBM, &latency), DP_OK);
    assert_int_equal(latency.count, 2);
    pool_rig_close(&rig);
}

static void a_pool_that_finds_no_memory_for_histograms_is_not_made(void **state)
{
    (void)state;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    dp_status status = DP_ERR_NOMEM;
    dp_pool *pool = NULL;
    for (unsigned n = 1; status == DP_ERR_NOMEM; n++) {
        os_malloc_fail_nth(n);
        status = dp_pool_create(&config, &pool);
    }
    (void)os_malloc_fail_nth(0);
    assert_int_equal(status, DP_OK);
    dp_pool_destroy(pool);
}

/* ---- events ---- */

static void what_a_full_tier_takes_back_is_recorded(void **state)
{
    (void)state;
    static const size_t bytes_max[DP_TIER_COUNT] = {[DP_TIER_HOST] = 512 << 10,
                                                    [DP_TIER_PINNED] = SIZE_MAX,
                                                    [DP_TIER_HBM] = SIZE_MAX,
                                                    [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig rig = {0};
    pool_rig_open(&rig, bytes_max);
    assert_int_equal(dp_trace_start(rig.pool, 0), DP_OK);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 1000)); /* rests in a magazine, in a region */
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 500 << 10));
    assert_int_equal(recorded(rig.pool, DP_TRACE_RECLAIM, DP_TIER_HOST, NULL), 1);
    assert_int_equal(recorded(rig.pool, DP_TRACE_TIER_CALL, DP_TIER_HOST, NULL),
                     rig.counts[DP_TIER_HOST].calls);
    pool_rig_close(&rig);
}

static void moves_and_changes_of_health_are_recorded(void **state)
{
    (void)state;
    pool_rig rig = {0};
    trace_event event = {.type = DP_TRACE_EVENT_COUNT};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 0), DP_OK);
    observe_migrate(pool_observer(rig.pool), DP_TIER_HBM, DP_TIER_HOST, 12345);
    observe_health(pool_observer(rig.pool), DP_TIER_HBM, 17, 1, 2);
    observe_health(NULL, DP_TIER_HBM, 17, 1, 2); /* nobody to tell */
    assert_int_equal(recorded(rig.pool, DP_TRACE_MIGRATE, DP_TIER_HBM, &event), 1);
    assert_int_equal(event.detail, DP_TIER_HOST);
    assert_int_equal(event.size_bytes, 12345);
    assert_int_equal(recorded(rig.pool, DP_TRACE_HEALTH, DP_TIER_HBM, &event), 1);
    assert_int_equal(event.size_class, 17);
    assert_int_equal(event.detail, 0x12);
    pool_rig_close(&rig);
}

static void a_buffer_that_moves_is_recorded_with_both_its_blocks(void **state)
{
    (void)state;
    pool_rig rig = {0};
    trace_event event;
    dp_request request = {.size_bytes = 777, .flags = DP_GET_MOVABLE};
    dp_buf *buf = NULL;
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 0), DP_OK);
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HBM), DP_OK);
    dp_put(buf);
    assert_int_equal(recorded(rig.pool, DP_TRACE_GET, DP_TIER_HOST, NULL), 1);
    assert_int_equal(recorded(rig.pool, DP_TRACE_GET, DP_TIER_HBM, NULL), 1);
    assert_int_equal(recorded(rig.pool, DP_TRACE_MIGRATE, DP_TIER_HOST, &event), 1);
    assert_int_equal(event.detail, DP_TIER_HBM);
    assert_int_equal(event.size_bytes, 777);
    assert_int_equal(recorded(rig.pool, DP_TRACE_PUT, DP_TIER_HOST, NULL), 1);
    assert_int_equal(recorded(rig.pool, DP_TRACE_PUT, DP_TIER_HBM, NULL), 1);
    pool_rig_close(&rig);
}

/* ---- the cache ---- */

static void insert(dp_pool *pool, dp_cache *cache, uint64_t number, bool persistent)
{
    dp_cache_entry entry = {.buf = rig_get(pool, DP_KIND_OTHER, 10000),
                            .priority = DP_PRIORITY_NORMAL,
                            .persistent = persistent};
    dp_cache_key key = rig_key(number);
    assert_non_null(entry.buf);
    assert_int_equal(dp_cache_insert(cache, &key, &entry, NULL), DP_OK);
    dp_put(entry.buf);
}

static void what_the_cache_moves_down_a_rung_is_recorded(void **state)
{
    (void)state;
    pool_rig rig = {0};
    dp_cache *cache = NULL;
    dp_cache_config config = {.host_bytes_max = 1 << 20,
                              .tier_bytes_max = {[DP_TIER_PINNED] = 15000}};
    trace_event event;
    pool_rig_open_all(&rig);
    assert_int_equal(dp_cache_create(rig.pool, &config, &cache), DP_OK);
    assert_int_equal(dp_trace_start(rig.pool, 0), DP_OK);
    for (uint64_t i = 0; i < 3; i++) {
        dp_cache_entry entry = {.buf = rig_get(rig.pool, DP_KIND_ENCODED, 10000)};
        dp_cache_key key = rig_key(i);
        assert_int_equal(dp_buf_tier(entry.buf), DP_TIER_PINNED);
        assert_int_equal(dp_cache_insert(cache, &key, &entry, NULL), DP_OK);
        dp_put(entry.buf);
    }
    assert_int_equal(recorded(rig.pool, DP_TRACE_MIGRATE, DP_TIER_PINNED, &event), 2);
    assert_int_equal(event.detail, DP_TIER_HOST);
    assert_int_equal(event.size_bytes, 10000);
    assert_int_equal(recorded(rig.pool, DP_TRACE_EVICT, DP_TIER_PINNED, NULL), 0);
    dp_cache_destroy(cache);
    pool_rig_close(&rig);
}

static void what_the_cache_drops_is_recorded(void **state)
{
    (void)state;
    pool_rig rig = {0};
    dp_cache *cache = NULL;
    dp_cache_config config = {.host_bytes_max = 25000};
    trace_event event;
    pool_rig_open_all(&rig);
    assert_int_equal(dp_cache_create(rig.pool, &config, &cache), DP_OK);
    assert_int_equal(dp_trace_start(rig.pool, 0), DP_OK);
    for (uint64_t i = 0; i < 5; i++)
        insert(rig.pool, cache, i, false);
    assert_int_equal(recorded(rig.pool, DP_TRACE_EVICT, DP_TIER_HOST, &event), 3);
    assert_int_equal(event.size_bytes, 10000);
    assert_int_equal(event.detail, DP_PRIORITY_NORMAL);
    assert_int_equal(recorded(rig.pool, DP_TRACE_MIGRATE, DP_TIER_HOST, NULL), 0);
    dp_cache_destroy(cache);
    pool_rig_close(&rig);
}

#if DP_HAVE_PMEM

static dp_tier_id look_up(dp_cache *cache, uint64_t number)
{
    dp_cache_key key = rig_key(number);
    dp_cache_entry entry;
    assert_int_equal(dp_cache_lookup(cache, &key, &entry), DP_OK);
    dp_tier_id tier = dp_buf_tier(entry.buf);
    dp_put(entry.buf);
    return tier;
}

static void evict_and_move(dp_pool *pool)
{
    dp_cache_config config = {.host_bytes_max = 50000, .pmem_bytes_max = 100000};
    dp_cache *cache = NULL;
    dp_cache_stats stats;
    assert_int_equal(dp_cache_create(pool, &config, &cache), DP_OK);
    assert_int_equal(dp_trace_start(pool, 0), DP_OK);
    for (uint64_t i = 0; i < 20; i++)
        insert(pool, cache, i, i % 2 == 0);
    /* Fifteen left host memory, of which seven were not in pmem yet; it holds ten of seventeen. */
    dp_cache_stats_read(cache, &stats);
    assert_int_equal(stats.demoted, 15);
    assert_int_equal(recorded(pool, DP_TRACE_EVICT, DP_TIER_HOST, NULL), 15);
    assert_int_equal(recorded(pool, DP_TRACE_MIGRATE, DP_TIER_HOST, NULL), 7);
    assert_int_equal(recorded(pool, DP_TRACE_EVICT, DP_TIER_PMEM, NULL), 7);
    assert_int_equal(recorded(pool, DP_TRACE_MIGRATE, DP_TIER_PMEM, NULL), 0);
    dp_cache_key key = rig_key(19);
    assert_int_equal(dp_cache_remove(cache, &key), DP_OK);
    assert_int_equal(look_up(cache, 14), DP_TIER_PMEM);
    assert_int_equal(look_up(cache, 14), DP_TIER_HOST);
    assert_int_equal(recorded(pool, DP_TRACE_MIGRATE, DP_TIER_PMEM, NULL), 1);
    dp_cache_destroy(cache);
}

static void what_the_cache_moves_is_recorded(void **state)
{
    (void)state;
    char directory[RIG_PATH_BYTES];
    rig_directory_make(directory);
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    fake_tier_counts counts;
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool = NULL;
    tiers[DP_TIER_HOST] = fake_tier_open(&(fake_tier_plan){.id = DP_TIER_HOST}, &counts);
    tiers[DP_TIER_PMEM] = rig_pmem_open(rig_path(directory, "observe.pool"));
    assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
    evict_and_move(pool);
    pool_check(pool);
    dp_pool_destroy(pool);
    rig_directory_remove(directory);
}

#else

static void what_the_cache_moves_is_recorded(void **state)
{
    (void)state;
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_gets_are_timed_and_the_others_counted),
        cmocka_unit_test(tier_calls_are_timed_once_each_also_through_a_decorator),
        cmocka_unit_test(a_pool_that_finds_no_memory_for_histograms_is_not_made),
        cmocka_unit_test(what_a_full_tier_takes_back_is_recorded),
        cmocka_unit_test(moves_and_changes_of_health_are_recorded),
        cmocka_unit_test(a_buffer_that_moves_is_recorded_with_both_its_blocks),
        cmocka_unit_test(what_the_cache_moves_down_a_rung_is_recorded),
        cmocka_unit_test(what_the_cache_drops_is_recorded),
        cmocka_unit_test(what_the_cache_moves_is_recorded),
    };
    return cmocka_run_group_tests_name("observe", tests, NULL, NULL);
}
