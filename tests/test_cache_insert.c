/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inserting many at once, and what a cache makes of what an earlier run left in pmem: nothing until
 * somebody asks for it or its place is needed.
 *
 * Pools here are made over host memory and the pmem tier on a temporary file, decorated in some.
 */
#include "cm.h"

#include "dp_features.h"

#if DP_HAVE_PMEM

#include <stdio.h>
#include <string.h>

#include <danpool/cache.h>

#include "pool/os.h"
#include "pool/pool_internal.h"
#include "tier_rig.h"

#define ITEMS 100u

static char directory[RIG_PATH_BYTES];

static const char *pool_path(void)
{
    return rig_path(directory, "insert.pool");
}

static int setup(void **state)
{
    (void)state;
    rig_directory_make(directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_directory_remove(directory);
    return 0;
}

typedef struct rig {
    dp_pool *pool;
    dp_cache *cache;
} rig;

static dp_tier *open_host(void)
{
    tier_open_args args = {0};
    char detail[96];
    dp_tier *tier = NULL;
    assert_int_equal(tier_open(DP_TIER_HOST, &args, detail, &tier), DP_OK);
    return tier;
}

/* Takes `pmem` over. */
static rig rig_open(dp_tier *pmem, size_t host_bytes_max, size_t pmem_bytes_max)
{
    rig made = {NULL, NULL};
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    tiers[DP_TIER_HOST] = open_host();
    tiers[DP_TIER_PMEM] = pmem;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_cache_config cache_config = {.host_bytes_max = host_bytes_max,
                                    .pmem_bytes_max = pmem_bytes_max};
    assert_int_equal(pool_create_over(&config, tiers, &made.pool), DP_OK);
    assert_int_equal(dp_cache_create(made.pool, &cache_config, &made.cache), DP_OK);
    return made;
}

static void rig_close(rig *at)
{
    dp_cache_destroy(at->cache);
    pool_check(at->pool);
    dp_pool_destroy(at->pool);
}

static dp_priority priority_of(uint64_t number)
{
    return (dp_priority)(number % DP_PRIORITY_COUNT);
}

/* Fills an item whose content, meta data and priority follow from the number. */
static dp_status item_get(dp_pool *pool, uint64_t number, size_t size_bytes, dp_cache_item *item)
{
    dp_request request = {.size_bytes = size_bytes, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    *item = (dp_cache_item){
        .key = rig_key(number),
        .entry = {.priority = priority_of(number), .persistent = true, .meta_bytes = 8}};
    dp_status status = dp_get(pool, &request, &item->entry.buf);
    if (status == DP_OK) {
        rig_fill(dp_buf_data(item->entry.buf), size_bytes, number);
        memcpy(item->entry.meta, &number, 8);
    }
    return status;
}

static dp_status insert(rig *at, uint64_t number, size_t size_bytes, bool *durable)
{
    dp_cache_item item;
    dp_status status = item_get(at->pool, number, size_bytes, &item);
    if (status == DP_OK) {
        status = dp_cache_insert(at->cache, &item.key, &item.entry, durable);
        dp_put(item.entry.buf);
    }
    return status;
}

static void insert_all(rig *at, uint64_t from, size_t count, size_t size_bytes)
{
    for (uint64_t i = 0; i < count; i++) {
        bool durable = false;
        assert_int_equal(insert(at, from + i, size_bytes, &durable), DP_OK);
        assert_true(durable);
    }
}

/* Looks up, compares every byte, puts; the tier it was served from, DP_TIER_NONE when missing. */
static dp_tier_id look_up(rig *at, uint64_t number)
{
    dp_cache_key key = rig_key(number);
    dp_cache_entry entry;
    dp_status status = dp_cache_lookup(at->cache, &key, &entry);
    if (status != DP_OK) {
        DP_ASSERT(status == DP_ERR_NOT_FOUND || status == DP_ERR_NOMEM);
        return DP_TIER_NONE;
    }
    DP_ASSERT(entry.meta_bytes == 8 && memcmp(entry.meta, &number, 8) == 0);
    DP_ASSERT(entry.priority == priority_of(number));
    DP_ASSERT(rig_is_filled(dp_buf_data(entry.buf), dp_buf_size(entry.buf), number));
    dp_tier_id tier = dp_buf_tier(entry.buf);
    dp_put(entry.buf);
    return tier;
}

static dp_cache_stats stats_of(const rig *at)
{
    dp_cache_stats stats;
    dp_cache_stats_read(at->cache, &stats);
    return stats;
}

/* --- batches --- */

static void many_go_in_at_once_and_each_says_how_it_went(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 100000, 0);
    static dp_cache_item items[ITEMS];
    assert_int_equal(insert(&at, 40, 1000, NULL), DP_OK);
    for (uint64_t i = 0; i < ITEMS; i++) {
        assert_int_equal(item_get(at.pool, i, i == 50 ? 100001 : 900, &items[i]), DP_OK);
        items[i].entry.persistent = i % 4 != 1;
    }
    items[70].key = items[7].key;
    assert_int_equal(dp_cache_insert_many(at.cache, items, ITEMS), DP_ERR_EXISTS);
    for (uint64_t i = 0; i < ITEMS; i++) {
        dp_status expected = i == 40 || i == 70 ? DP_ERR_EXISTS
                             : i == 50          ? DP_ERR_TOO_LARGE
                                                : DP_OK;
        assert_int_equal(items[i].status, expected);
        assert_int_equal(items[i].durable, expected == DP_OK && i % 4 != 1);
        dp_put(items[i].entry.buf);
    }
    assert_int_equal(stats_of(&at).inserted, ITEMS - 2);
    assert_int_equal(dp_cache_insert_many(at.cache, items, 0), DP_OK);
    for (uint64_t i = 0; i < ITEMS; i++) {
        assert_int_equal(look_up(&at, i) != DP_TIER_NONE, i != 50 && i != 70);
    }
    rig_close(&at);
    at = rig_open(rig_pmem_open(pool_path()), 100000, 0);
    for (uint64_t i = 0; i < ITEMS; i++) {
        bool kept = i == 40 || items[i].durable;
        assert_int_equal(look_up(&at, i), kept ? DP_TIER_PMEM : DP_TIER_NONE);
    }
    rig_close(&at);
}

static void a_batch_makes_room_in_a_full_file(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), (size_t)8 << 20, 0);
    static dp_cache_item items[32];
    for (uint64_t from = 0; from < 160; from += 32) {
        for (uint64_t i = 0; i < 32; i++) {
            assert_int_equal(item_get(at.pool, (from + i) * 3, 100000, &items[i]), DP_OK);
        }
        assert_int_equal(dp_cache_insert_many(at.cache, items, 32), DP_OK);
        for (uint64_t i = 0; i < 32; i++) {
            assert_true(items[i].durable);
            dp_put(items[i].entry.buf);
        }
    }
    dp_cache_stats stats = stats_of(&at);
    assert_int_equal(stats.persist_failed, 0);
    assert_int_equal(look_up(&at, 159 * 3) != DP_TIER_NONE, true);
    rig_close(&at);
    at = rig_open(rig_pmem_open(pool_path()), (size_t)8 << 20, 0);
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], stats.entries[DP_TIER_PMEM]);
    assert_int_equal(look_up(&at, 0), DP_TIER_NONE);
    assert_int_equal(look_up(&at, 159 * 3), DP_TIER_PMEM);
    rig_close(&at);
}

static void decorators_refuse_items_of_a_batch_one_by_one(void **state)
{
    (void)state;
    dp_tier *limited = NULL;
    dp_tier *pmem = NULL;
    assert_int_equal(tier_limit_wrap(rig_pmem_open(pool_path()), 40 * 900, &limited), DP_OK);
    assert_int_equal(tier_fault_wrap(limited, 5, 10, &pmem), DP_OK);
    static tier_item items[ITEMS];
    static dp_cache_key keys[ITEMS];
    static unsigned char bytes[900];
    for (uint64_t i = 0; i < ITEMS; i++) {
        keys[i] = rig_key(i);
        items[i] = (tier_item){.key = &keys[i], .data = bytes, .size_bytes = sizeof bytes};
    }
    tier_store_commit_many(pmem, items, ITEMS);
    size_t kept = 0;
    for (uint64_t i = 0; i < ITEMS; i++) {
        dp_status expected = i % 10 == 4 ? DP_ERR_IO : kept == 40 ? DP_ERR_QUOTA : DP_OK;
        assert_int_equal(items[i].status, expected);
        kept += expected == DP_OK;
    }
    assert_int_equal(rig_count(pmem), 40);
    tier_store_totals totals;
    tier_store_totals_read(pmem, &totals);
    assert_int_equal(totals.bytes, 40 * 900);
    tier_close(pmem);
}

/* --- restarts --- */

static void what_an_earlier_run_left_is_there_before_it_is_asked_for(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 1000000, 0);
    insert_all(&at, 0, 30, 2000);
    rig_close(&at);
    at = rig_open(rig_pmem_open(pool_path()), 1000000, 0);
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], 30);
    assert_int_equal(stats_of(&at).bytes[DP_TIER_PMEM], 30 * 2000);
    dp_cache_key key = rig_key(3);
    assert_int_equal(insert(&at, 3, 2000, NULL), DP_ERR_EXISTS);
    key = rig_key(4);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_ERR_NOT_FOUND);
    assert_int_equal(look_up(&at, 5), DP_TIER_PMEM);
    assert_int_equal(look_up(&at, 5), DP_TIER_HOST); /* promoted, with its meta data */
    assert_int_equal(look_up(&at, 31), DP_TIER_NONE);
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], 29);
    /* A second cache over the same open file starts from the beginning. */
    dp_cache_destroy(at.cache);
    dp_cache_config config = {.host_bytes_max = 1000000};
    assert_int_equal(dp_cache_create(at.pool, &config, &at.cache), DP_OK);
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], 29);
    for (uint64_t i = 0; i < 30; i++) {
        assert_int_equal(look_up(&at, i), i == 4 ? DP_TIER_NONE : DP_TIER_PMEM);
    }
    rig_close(&at);
}

static void after_a_restart_the_lowest_priority_and_the_longest_unused_go_first(void **state)
{
    (void)state;
    rig at = rig_open(rig_pmem_open(pool_path()), 1000000, 9 * 1000);
    insert_all(&at, 0, 9, 1000); /* priorities 0 1 2 0 1 2 0 1 2 */
    rig_close(&at);
    at = rig_open(rig_pmem_open(pool_path()), 1000000, 9 * 1000);
    assert_int_equal(look_up(&at, 0), DP_TIER_PMEM); /* asked for: younger than 3 and 6 now */
    static const uint64_t leaves[] = {3, 6, 0};
    for (uint64_t i = 0; i < 3; i++) {
        insert_all(&at, 11 + 3 * i, 1, 1000); /* of the highest priority */
        assert_int_equal(stats_of(&at).dropped, i + 1);
        assert_int_equal(look_up(&at, leaves[i]), DP_TIER_NONE);
    }
    rig_close(&at);
    /* One that is held stays although it is the next. */
    at = rig_open(rig_pmem_open(pool_path()), 1000000, 9 * 1000);
    dp_cache_key key = rig_key(1);
    dp_cache_entry held;
    assert_int_equal(dp_cache_lookup(at.cache, &key, &held), DP_OK);
    insert_all(&at, 20, 1, 1000);
    insert_all(&at, 23, 1, 1000);
    assert_int_equal(look_up(&at, 4), DP_TIER_NONE);
    assert_int_equal(look_up(&at, 7), DP_TIER_NONE);
    assert_true(rig_is_filled(dp_buf_data(held.buf), 1000, 1));
    dp_put(held.buf);
    rig_close(&at);
}

/* A run over what an earlier one left, during which the n-th allocation fails. */
static void use_what_is_left(rig *at)
{
    for (uint64_t i = 0; i < 12; i++) {
        (void)look_up(at, i);
    }
    dp_cache_key key = rig_key(12);
    dp_status status = dp_cache_remove(at->cache, &key);
    assert_true(status == DP_OK || status == DP_ERR_NOMEM);
    for (uint64_t i = 10; i < 24; i++) {
        status = insert(at, i, 1000, NULL);
        assert_true(status == DP_OK || status == DP_ERR_EXISTS || status == DP_ERR_NOMEM);
    }
    for (uint64_t i = 0; i < 24; i++) {
        (void)look_up(at, i);
    }
}

static void no_allocation_that_fails_after_a_restart_harms_what_is_there(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (uint64_t nth = 1; nth < 500; nth++) {
        rig at = rig_open(rig_pmem_open(pool_path()), 1000000, 20 * 1000);
        insert_all(&at, 0, 20, 1000);
        rig_close(&at);
        at = rig_open(rig_pmem_open(pool_path()), 5000, 20 * 1000);
        os_malloc_fail_nth(nth);
        use_what_is_left(&at);
        bool fired = os_malloc_fail_nth(0) == 0;
        for (uint64_t i = 0; i < 24; i++) {
            (void)look_up(&at, i);
        }
        dp_cache_stats stats = stats_of(&at);
        rig_close(&at);
        dp_tier *tier = rig_pmem_open(pool_path());
        assert_int_equal(rig_count(tier), stats.entries[DP_TIER_PMEM]);
        tier_close(tier);
        assert_int_equal(rig_heap_count(pool_path(), RIG_ENTRY_TYPE), stats.entries[DP_TIER_PMEM]);
        (void)remove(pool_path());
        if (!fired) {
            break;
        }
        failures++;
    }
    print_message("cache_insert: %u allocations failed in turn\n", failures);
    assert_in_range(failures, 10, 498);
}

#define INSERT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INSERT_TEST(many_go_in_at_once_and_each_says_how_it_went),
        INSERT_TEST(a_batch_makes_room_in_a_full_file),
        INSERT_TEST(decorators_refuse_items_of_a_batch_one_by_one),
        INSERT_TEST(what_an_earlier_run_left_is_there_before_it_is_asked_for),
        INSERT_TEST(after_a_restart_the_lowest_priority_and_the_longest_unused_go_first),
        INSERT_TEST(no_allocation_that_fails_after_a_restart_harms_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <stdio.h>

int main(void)
{
    puts("cache_insert: skipped, built without libpmemobj");
    return CM_SKIP_ALL;
}

#endif
