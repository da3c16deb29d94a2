/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache's ladder: which copy goes down from which tier, what comes up again, and how little of
 * it an insert or a lookup has to wait for.
 *
 * Tiers are fakes, pmem is real where it is built in.
 */
#include "cm.h"

#include <pthread.h>

#include "dp_features.h"
#include "gate_tier.h"
#include "ladder_rig.h"

static void check_entries(const rig *at, size_t hbm, size_t pinned, size_t host)
{
    dp_cache_stats stats = stats_of(at);
    assert_int_equal(stats.entries[DP_TIER_HBM], hbm);
    assert_int_equal(stats.entries[DP_TIER_PINNED], pinned);
    assert_int_equal(stats.entries[DP_TIER_HOST], host);
}

/* ---- down ---- */

static void what_is_too_much_goes_down_rung_by_rung_and_is_dropped_at_the_end(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(3, 4, 5));
    for (uint64_t i = 0; i < 20; i++) {
        insert_hbm(&at, i, DP_PRIORITY_NORMAL);
        pool_check(at.pool);
    }
    check_entries(&at, 3, 4, 5);
    dp_cache_stats stats = stats_of(&at);
    assert_int_equal(stats.dropped, 8);
    assert_int_equal(stats.demoted, 17 + 13);
    assert_int_equal(stats.bytes[DP_TIER_PINNED], 4 * ENTRY_BYTES);
    for (uint64_t i = 0; i < 20; i++) {
        dp_tier_id where = i >= 17   ? DP_TIER_HBM
                           : i >= 13 ? DP_TIER_PINNED
                           : i >= 8  ? DP_TIER_HOST
                                     : DP_TIER_NONE;
        assert_int_equal(look_up(&at, i), where);
    }
    /* And the pool holds what the cache says, no more. */
    dp_stats pool_stats;
    dp_stats_read(at.pool, &pool_stats);
    static const uint64_t kept[RIG_IDS] = {5, 4, 3};
    for (unsigned i = 0; i < RIG_IDS; i++) {
        uint64_t block_bytes = pool_stats.tiers[rig_ids[i]].used_bytes / kept[i];
        assert_in_range(block_bytes, ENTRY_BYTES, ENTRY_BYTES * 9 / 8);
    }
    rig_close(&at);
}

static void tiers_without_a_budget_of_their_own_share_the_hosts(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(0, 0, 4));
    for (uint64_t i = 0; i < 10; i++) {
        given what = {.number = i, .tier = i % 2 == 0 ? DP_TIER_PINNED : DP_TIER_HOST};
        assert_int_equal(insert(&at, &what), DP_OK);
    }
    /* Going from pinned to host would gain nothing: the oldest are dropped. */
    check_entries(&at, 0, 2, 2);
    assert_int_equal(stats_of(&at).demoted, 0);
    assert_int_equal(stats_of(&at).dropped, 6);
    rig_close(&at);
}

static void the_lowest_priority_goes_down_first_on_every_rung(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(2, 2, 2));
    for (uint64_t i = 0; i < 9; i++) {
        insert_hbm(&at, i, (dp_priority)(i % 3)); /* 2, 5, 8 are the high ones */
    }
    assert_int_equal(look_up(&at, 8), DP_TIER_HBM);
    assert_int_equal(look_up(&at, 5), DP_TIER_HBM);
    assert_int_equal(look_up(&at, 2), DP_TIER_PINNED);
    assert_int_equal(look_up(&at, 7), DP_TIER_PINNED);
    assert_int_equal(look_up(&at, 4), DP_TIER_HOST);
    assert_int_equal(look_up(&at, 1), DP_TIER_HOST);
    for (uint64_t i = 0; i < 9; i += 3) {
        assert_int_equal(look_up(&at, i), DP_TIER_NONE);
    }
    rig_close(&at);
}

static void what_somebody_holds_stays_where_it_is(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(2, 2, 2));
    insert_hbm(&at, 0, DP_PRIORITY_LOW);
    dp_cache_key key = rig_key(0);
    dp_cache_entry held;
    assert_int_equal(dp_cache_lookup(at.cache, &key, &held), DP_OK);
    for (uint64_t i = 1; i < 12; i++) {
        insert_hbm(&at, i, DP_PRIORITY_HIGH);
    }
    assert_int_equal(dp_buf_tier(held.buf), DP_TIER_HBM);
    assert_int_equal(look_up(&at, 0), DP_TIER_HBM);
    unsigned char bytes[ENTRY_BYTES];
    assert_int_equal(dp_buf_read(held.buf, 0, bytes, sizeof bytes), DP_OK);
    assert_true(rig_is_filled(bytes, sizeof bytes, 0));
    dp_put(held.buf);
    insert_hbm(&at, 12, DP_PRIORITY_HIGH);
    insert_hbm(&at, 13, DP_PRIORITY_HIGH);
    assert_int_not_equal(look_up(&at, 0), DP_TIER_HBM); /* free to go once nobody holds it */
    rig_close(&at);
}

static void a_rung_that_has_no_memory_is_passed_over(void **state)
{
    (void)state;
    rig at;
    tiers_make(&at);
    assert_int_equal(tier_limit_wrap(at.tiers[DP_TIER_PINNED], 1, &at.tiers[DP_TIER_PINNED]),
                     DP_OK);
    dp_cache_config config = budgets(2, 2, 5);
    assert_int_equal(rig_start(&at, &config), DP_OK);
    for (uint64_t i = 0; i < 5; i++) {
        insert_hbm(&at, i, DP_PRIORITY_LOW);
    }
    check_entries(&at, 2, 0, 3);
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST);
    assert_int_equal(stats_of(&at).dropped, 0);
    rig_close(&at);
}

/* ---- up ---- */

static void a_second_hit_and_room_bring_an_entry_back_up(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(2, 2, 2));
    for (uint64_t i = 0; i < 6; i++) {
        insert_hbm(&at, i, DP_PRIORITY_LOW);
    }
    check_entries(&at, 2, 2, 2); /* 0 and 1 in host */
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST);
    assert_int_equal(dp_cache_maintain(at.cache, 100), 0); /* one hit is none */
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST);
    assert_int_equal(dp_cache_maintain(at.cache, 100), 1); /* looked at, but there is no room */
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST);
    assert_int_equal(stats_of(&at).promoted, 0);
    dp_cache_key key = rig_key(5);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    assert_int_equal(dp_cache_maintain(at.cache, 100), 1);
    assert_int_equal(look_up(&at, 0), DP_TIER_HBM); /* past pinned, where it was inserted */
    assert_int_equal(stats_of(&at).promoted, 1);
    check_entries(&at, 2, 2, 1);
    assert_int_equal(dp_cache_maintain(at.cache, 100), 0); /* what is at home stays there */
    pool_check(at.pool);
    rig_close(&at);
}

static void an_entry_that_left_while_it_was_to_rise_is_forgotten(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(1, 1, 1));
    insert_hbm(&at, 0, DP_PRIORITY_LOW);
    insert_hbm(&at, 1, DP_PRIORITY_LOW);
    (void)look_up(&at, 0);
    (void)look_up(&at, 0);
    dp_cache_key key = rig_key(0);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    key = rig_key(1);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    assert_int_equal(dp_cache_maintain(at.cache, 10), 0);
    check_entries(&at, 0, 0, 0);
    rig_close(&at);
}

/* ---- how much at a time ---- */

static void an_insert_does_a_little_and_maintenance_the_rest_step_by_step(void **state)
{
    (void)state;
    rig at;
    dp_cache_config config = budgets(10, 100, 1);
    config.low_percent = 50;
    rig_open(&at, config);
    for (uint64_t i = 0; i < 50; i++) {
        given small = {.number = i, .tier = DP_TIER_HBM, .size_bytes = 2000};
        assert_int_equal(insert(&at, &small), DP_OK);
    }
    assert_int_equal(stats_of(&at).demoted, 0);
    given large = {.number = 99, .tier = DP_TIER_HBM, .size_bytes = 80000};
    assert_int_equal(insert(&at, &large), DP_OK);
    assert_int_equal(stats_of(&at).demoted, 8); /* 40 are too many */
    assert_int_equal(dp_cache_maintain(at.cache, 5), 5);
    assert_int_equal(stats_of(&at).demoted, 13);
    /* Down to half of it: the other 37 small ones, and then the large one alone is still over. */
    assert_int_equal(dp_cache_maintain(at.cache, 1000), 38);
    assert_int_equal(stats_of(&at).bytes[DP_TIER_HBM], 0);
    assert_int_equal(dp_cache_maintain(at.cache, 1000), 0);
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(look_up(&at, i), DP_TIER_PINNED);
    }
    rig_close(&at);
}

static void *insert_one_too_many(void *user)
{
    given what = {.number = 2, .tier = DP_TIER_HBM};
    DP_ASSERT(insert(user, &what) == DP_OK);
    return NULL;
}

static void nobody_waits_for_a_copy_on_its_way_down(void **state)
{
    (void)state;
    gate_tier gate;
    rig at;
    tiers_make(&at);
    gate_init(&gate, at.tiers[DP_TIER_HBM]);
    at.tiers[DP_TIER_HBM] = &gate.tier;
    dp_cache_config config = budgets(2, 5, 5);
    assert_int_equal(rig_start(&at, &config), DP_OK);
    insert_hbm(&at, 0, DP_PRIORITY_LOW);
    insert_hbm(&at, 1, DP_PRIORITY_LOW);
    gate_set(&gate, GATE_READS);
    pthread_t mover;
    assert_int_equal(pthread_create(&mover, NULL, insert_one_too_many, &at), 0);
    gate_wait(&gate);
    /* Entry 0 is stuck half way; it is served, and a get of the pool is, too. */
    dp_cache_key key = rig_key(0);
    dp_cache_entry held;
    assert_int_equal(dp_cache_lookup(at.cache, &key, &held), DP_OK);
    assert_int_equal(dp_buf_tier(held.buf), DP_TIER_HBM);
    given other = {.number = 3, .tier = DP_TIER_HOST};
    assert_int_equal(insert(&at, &other), DP_OK);
    assert_int_equal(look_up(&at, 3), DP_TIER_HOST);
    gate_set(&gate, 0);
    pthread_join(mover, NULL);
    /* Somebody held it by the time that its copy was made: it stayed, another one went. */
    assert_int_equal(look_up(&at, 0), DP_TIER_HBM);
    check_entries(&at, 2, 1, 1);
    dp_put(held.buf);
    rig_close(&at);
    gate_destroy(&gate);
}

/* ---- movable entries ---- */

static void a_movable_entry_goes_down_and_up_as_the_same_buffer(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(1, 3, 3));
    given what = {.number = 0, .tier = DP_TIER_HBM, .movable = true};
    assert_int_equal(insert(&at, &what), DP_OK);
    dp_cache_key key = rig_key(0);
    dp_cache_entry entry;
    assert_int_equal(dp_cache_lookup(at.cache, &key, &entry), DP_OK);
    dp_buf *same = entry.buf;
    dp_put(entry.buf);
    insert_hbm(&at, 1, DP_PRIORITY_LOW);
    check_entries(&at, 1, 1, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(dp_cache_lookup(at.cache, &key, &entry), DP_OK);
        assert_ptr_equal(entry.buf, same);
        assert_int_equal(dp_buf_tier(entry.buf), DP_TIER_PINNED);
        dp_put(entry.buf);
    }
    key = rig_key(1);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    assert_int_equal(dp_cache_maintain(at.cache, 10), 1);
    assert_int_equal(look_up(&at, 0), DP_TIER_HBM);
    rig_close(&at);
}

static void the_sums_follow_a_buffer_that_its_holder_moved(void **state)
{
    (void)state;
    rig at;
    rig_open(&at, budgets(2, 2, 2));
    given what = {.number = 0, .tier = DP_TIER_HBM, .movable = true};
    assert_int_equal(insert(&at, &what), DP_OK);
    dp_cache_key key = rig_key(0);
    dp_cache_entry held;
    assert_int_equal(dp_cache_lookup(at.cache, &key, &held), DP_OK);
    void *host = NULL;
    assert_int_equal(dp_buf_migrate(held.buf, DP_TIER_HOST), DP_OK);
    assert_int_equal(dp_buf_map(held.buf, &host), DP_OK);
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST); /* when it is seen next, they follow */
    check_entries(&at, 0, 0, 1);
    for (uint64_t i = 1; i < 10; i++) {
        insert_hbm(&at, i, DP_PRIORITY_HIGH);
    }
    assert_int_equal(look_up(&at, 0), DP_TIER_HOST);
    assert_ptr_equal(dp_buf_data(held.buf), host);
    assert_true(rig_is_filled(host, ENTRY_BYTES, 0));
    dp_buf_unmap(held.buf);
    dp_put(held.buf);
    assert_int_equal(stats_of(&at).entries[DP_TIER_HBM], 2);
    key = rig_key(0);
    assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    for (uint64_t i = 1; i < 10; i++) {
        key = rig_key(i);
        (void)dp_cache_remove(at.cache, &key);
    }
    check_entries(&at, 0, 0, 0);
    rig_close(&at);
}

/* ---- with pmem ---- */

#if DP_HAVE_PMEM

static void the_last_rung_is_pmem_and_what_is_there_skips_full_ones(void **state)
{
    (void)state;
    char directory[RIG_PATH_BYTES];
    rig_directory_make(directory);
    rig at;
    tiers_make(&at);
    at.tiers[DP_TIER_PMEM] = rig_pmem_open(rig_path(directory, "ladder.pool"));
    dp_cache_config config = budgets(2, 2, 2);
    assert_int_equal(rig_start(&at, &config), DP_OK);
    given first = {.number = 0, .tier = DP_TIER_HBM, .persistent = true};
    assert_int_equal(insert(&at, &first), DP_OK);
    for (uint64_t i = 1; i < 7; i++) {
        insert_hbm(&at, i, DP_PRIORITY_LOW);
    }
    /* 0 went down all three rungs, then out of host memory for nothing. */
    check_entries(&at, 2, 2, 2);
    assert_int_equal(stats_of(&at).entries[DP_TIER_PMEM], 1);
    given second = {.number = 7, .tier = DP_TIER_HBM, .persistent = true};
    assert_int_equal(insert(&at, &second), DP_OK);
    insert_hbm(&at, 8, DP_PRIORITY_HIGH);
    insert_hbm(&at, 9, DP_PRIORITY_HIGH);
    /* 7 is in pmem, and pinned is full: it did not push anything down on its way. */
    assert_int_equal(look_up(&at, 7), DP_TIER_PMEM);
    assert_int_equal(look_up(&at, 6), DP_TIER_PINNED);
    assert_int_equal(look_up(&at, 0), DP_TIER_PMEM);
    dp_cache_stats stats = stats_of(&at);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.persist_failed, 0);
    /* From pmem it is promoted to the CPU's memory, and to the device from there. */
    for (uint64_t i = 1; i < 10; i++) {
        dp_cache_key key = rig_key(i);
        assert_int_equal(dp_cache_remove(at.cache, &key), DP_OK);
    }
    assert_int_equal(look_up(&at, 0), DP_TIER_PINNED);
    (void)look_up(&at, 0);
    (void)look_up(&at, 0);
    assert_int_equal(dp_cache_maintain(at.cache, 10), 1);
    assert_int_equal(look_up(&at, 0), DP_TIER_HBM);
    rig_close(&at);
    rig_directory_remove(directory);
}

#endif

static void a_configuration_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    rig at;
    tiers_make(&at);
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    assert_int_equal(pool_create_over(&pool_config, at.tiers, &at.pool), DP_OK);
    dp_cache_config wrong[3] = {{.low_percent = 101},
                                {.tier_bytes_max = {[DP_TIER_HOST] = 1}},
                                {.tier_bytes_max = {[DP_TIER_PMEM] = 1}}};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(dp_cache_create(at.pool, &wrong[i], &at.cache), DP_ERR_INVALID);
        assert_null(at.cache);
    }
    dp_pool_destroy(at.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_much_goes_down_rung_by_rung_and_is_dropped_at_the_end),
        cmocka_unit_test(tiers_without_a_budget_of_their_own_share_the_hosts),
        cmocka_unit_test(the_lowest_priority_goes_down_first_on_every_rung),
        cmocka_unit_test(what_somebody_holds_stays_where_it_is),
        cmocka_unit_test(a_rung_that_has_no_memory_is_passed_over),
        cmocka_unit_test(a_second_hit_and_room_bring_an_entry_back_up),
        cmocka_unit_test(an_entry_that_left_while_it_was_to_rise_is_forgotten),
        cmocka_unit_test(an_insert_does_a_little_and_maintenance_the_rest_step_by_step),
        cmocka_unit_test(nobody_waits_for_a_copy_on_its_way_down),
        cmocka_unit_test(a_movable_entry_goes_down_and_up_as_the_same_buffer),
        cmocka_unit_test(the_sums_follow_a_buffer_that_its_holder_moved),
#if DP_HAVE_PMEM
        cmocka_unit_test(the_last_rung_is_pmem_and_what_is_there_skips_full_ones),
#endif
        cmocka_unit_test(a_configuration_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
