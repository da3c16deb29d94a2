/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts behind the pmem tier: batches, the directory in the file, and claims.
 *
 * Each test has a fresh file of 16 MiB in a directory of its own.
 */
#include "cm.h"

#include "dp_features.h"

#if DP_HAVE_PMEM

#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "tier_rig.h"

static char directory[RIG_PATH_BYTES];

static const char *pool_path(void)
{
    return rig_path(directory, "batch.pool");
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

static size_t heap_objects(void)
{
    return rig_heap_count(pool_path(), RIG_ENTRY_TYPE);
}

static size_t fill_up(dp_tier *tier, uint64_t from, size_t size_bytes)
{
    size_t count = 0;
    dp_status status = DP_OK;
    while (status == DP_OK) {
        status = rig_commit(tier, from + count, size_bytes);
        count += status == DP_OK;
    }
    assert_int_equal(status, DP_ERR_NOMEM);
    return count;
}

/* --- batches --- */

#define BATCH_MAX 100

static dp_cache_key batch_keys[BATCH_MAX];
static unsigned char batch_bytes[BATCH_MAX][512];

/* Items for numbers from..from + count, of rising sizes, without meta data. */
static void batch_make(tier_item items[BATCH_MAX], uint64_t from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        batch_keys[i] = rig_key(from + i);
        rig_fill(batch_bytes[i], sizeof batch_bytes[i], from + i);
        items[i] = (tier_item){.key = &batch_keys[i],
                               .data = batch_bytes[i],
                               .size_bytes = 1 + i * 5,
                               .priority = (dp_priority)(i % DP_PRIORITY_COUNT)};
    }
}

static bool batch_find(dp_tier *tier, uint64_t from, size_t i)
{
    dp_cache_key key = rig_key(from + i);
    tier_object object;
    if (tier_store_find(tier, &key, &object) != DP_OK) {
        return false;
    }
    assert_int_equal(object.size_bytes, 1 + i * 5);
    assert_true(rig_is_filled(object.data, object.size_bytes, from + i));
    tier_store_release(tier, &object);
    return true;
}

static void a_batch_is_kept_and_each_of_its_items_says_how_it_went(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    tier_item items[BATCH_MAX];
    assert_int_equal(rig_commit(tier, 40, 77), DP_OK);
    batch_make(items, 0, BATCH_MAX);
    items[70].key = items[7].key; /* the first of two wins */
    items[90].size_bytes = (size_t)1 << 40;
    tier_store_commit_many(tier, items, BATCH_MAX);
    for (size_t i = 0; i < BATCH_MAX; i++) {
        dp_status expected = i == 40 || i == 70 ? DP_ERR_EXISTS : i == 90 ? DP_ERR_NOMEM : DP_OK;
        assert_int_equal(items[i].status, expected);
    }
    tier_store_commit_many(tier, items, 0); /* does nothing */
    tier_close(tier);
    assert_int_equal(heap_objects(), BATCH_MAX - 2);
    tier = rig_pmem_open(pool_path());
    for (size_t i = 0; i < BATCH_MAX; i++) {
        if (i != 40) {
            assert_int_equal(batch_find(tier, 0, i), i != 70 && i != 90);
        }
    }
    assert_int_equal(rig_check(tier, 40, 77), DP_OK);
    tier_close(tier);
}

static void a_batch_that_the_file_has_no_room_for_keeps_what_fits(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    size_t count = fill_up(tier, 1000, 60000);
    tier_item items[BATCH_MAX];
    batch_make(items, 0, BATCH_MAX);
    static unsigned char large[30000];
    for (size_t i = 0; i < BATCH_MAX; i += 2) {
        items[i].data = large;
        items[i].size_bytes = sizeof large;
    }
    dp_cache_key key = rig_key(1000);
    assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    tier_store_commit_many(tier, items, BATCH_MAX);
    size_t kept = 0;
    size_t refused = 0;
    for (size_t i = 0; i < BATCH_MAX; i++) {
        kept += items[i].status == DP_OK;
        refused += items[i].status == DP_ERR_NOMEM;
    }
    assert_int_equal(kept + refused, BATCH_MAX);
    assert_true(kept > 0 && refused > 0);
    tier_store_totals totals;
    tier_store_totals_read(tier, &totals);
    assert_int_equal(totals.objects, count - 1 + kept);
    tier_close(tier);
    assert_int_equal(heap_objects(), count - 1 + kept);
}

/* --- the directory --- */

typedef struct order_state {
    uint64_t next;
    uint64_t last;
    uint64_t step;
} order_state;

static bool is_next(void *user, const dp_cache_key *key, const tier_object *object)
{
    order_state *order = user;
    dp_cache_key expected = rig_key(order->next);
    assert_memory_equal(key, &expected, sizeof expected);
    assert_true(rig_is_filled(object->data, object->size_bytes, order->next));
    bool more = order->next != order->last;
    order->next += order->step;
    return more;
}

#define MANY 4000u /* more slots than four leaves have */

static size_t leaves(void)
{
    return rig_heap_count(pool_path(), RIG_LEAF_TYPE);
}

static void the_directory_grows_and_shrinks_and_keeps_the_order(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(rig_commit(tier, i, 20), DP_OK);
    }
    /* Holes all over, which new commits fill: the slots' order is not the order of commits. */
    for (uint64_t i = 1; i < MANY; i += 2) {
        dp_cache_key key = rig_key(i);
        assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    }
    for (uint64_t i = MANY; i < MANY + 1000; i += 2) {
        assert_int_equal(rig_commit(tier, i, 20), DP_OK);
    }
    tier_close(tier);
    assert_int_equal(leaves(), 5);
    tier = rig_pmem_open(pool_path());
    order_state order = {.next = 0, .last = MANY + 998, .step = 2};
    tier_store_each(tier, is_next, &order);
    assert_int_equal(order.next, MANY + 1000);
    for (uint64_t i = 0; i < MANY + 1000; i += 2) {
        dp_cache_key key = rig_key(i);
        assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    }
    tier_close(tier);
    assert_int_equal(heap_objects(), 0);
    assert_in_range(leaves(), 1, 2);
}

static void a_damaged_slot_costs_its_object_alone_and_no_space(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(rig_commit(tier, i, 2000), DP_OK);
    }
    tier_close(tier);
    dp_cache_key key = rig_key(4);
    assert_true(rig_damage_bytes(pool_path(), key.bytes, sizeof key.bytes));
    tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(rig_check(tier, i, 2000), i == 4 ? DP_ERR_NOT_FOUND : DP_OK);
    }
    tier_close(tier);
    assert_int_equal(heap_objects(), 49);
}

static void without_memory_for_the_index_the_file_stays_closed_and_whole(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < 1500; i++) {
        assert_int_equal(rig_commit(tier, 1500 - i, 20), DP_OK);
        if (i % 3 == 0) {
            dp_cache_key key = rig_key(1500 - i);
            assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
        }
    }
    tier_close(tier);
    unsigned failures = 0;
    for (uint64_t nth = 1; nth < 100; nth++) {
        tier_open_args args = {.pmem_path = pool_path(), .pmem_size_bytes = RIG_FILE_BYTES};
        char detail[96] = "";
        dp_tier *none = NULL;
        os_malloc_fail_nth(nth);
        dp_status status = tier_open(DP_TIER_PMEM, &args, detail, &none);
        tier_close(none);
        if (os_malloc_fail_nth(0) != 0) {
            break;
        }
        assert_int_equal(status, DP_ERR_NOMEM);
        assert_true(strlen(detail) > 0);
        failures++;
    }
    assert_true(failures >= 4); /* tier, pages, table, nodes, array */
    tier = rig_pmem_open(pool_path());
    assert_int_equal(rig_count(tier), 1000);
    tier_close(tier);
}

/* --- claims --- */

static void what_was_found_is_claimed_once_oldest_first(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < 30; i++) {
        assert_int_equal(rig_commit(tier, i, 100 + i), DP_OK); /* priority: i % 3 */
    }
    tier_claim claim;
    dp_cache_key key = rig_key(3);
    assert_false(tier_store_claim(tier, &key, &claim)); /* this run's own */
    assert_false(tier_store_claim_oldest(tier, DP_PRIORITY_LOW, &claim));
    tier_close(tier);
    tier = rig_pmem_open(pool_path());
    for (int round = 0; round < 2; round++) {
        assert_true(tier_store_claim(tier, &key, &claim));
        assert_int_equal(claim.size_bytes, 103);
        assert_false(tier_store_claim(tier, &key, &claim));
        dp_cache_key oldest = rig_key(0);
        if (round == 1) {
            assert_int_equal(tier_store_remove(tier, &oldest, NULL), DP_OK); /* at the cursor */
        }
        for (uint64_t i = round == 0 ? 0 : 6; i < 30; i += i == 0 ? 6 : 3) {
            dp_cache_key expected = rig_key(i);
            assert_true(tier_store_claim_oldest(tier, DP_PRIORITY_LOW, &claim));
            assert_memory_equal(&claim.key, &expected, sizeof expected);
        }
        assert_false(tier_store_claim_oldest(tier, DP_PRIORITY_LOW, &claim));
        assert_true(tier_store_claim_oldest(tier, DP_PRIORITY_HIGH, &claim));
        tier_store_unclaim(tier);
    }
    tier_close(tier);
}

#define PMEM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PMEM_TEST(a_batch_is_kept_and_each_of_its_items_says_how_it_went),
        PMEM_TEST(a_batch_that_the_file_has_no_room_for_keeps_what_fits),
        PMEM_TEST(the_directory_grows_and_shrinks_and_keeps_the_order),
        PMEM_TEST(a_damaged_slot_costs_its_object_alone_and_no_space),
        PMEM_TEST(without_memory_for_the_index_the_file_stays_closed_and_whole),
        PMEM_TEST(what_was_found_is_claimed_once_oldest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <stdio.h>

int main(void)
{
    puts("pmem_batch: skipped, built without libpmemobj");
    return CM_SKIP_ALL;
}

#endif
