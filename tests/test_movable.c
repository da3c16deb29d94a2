/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Movable buffers: maps that pin, and moves that carry the bytes or change nothing.
 */
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include <danpool/slice.h>

#include "dies.h"
#include "movable_rig.h"

static uint64_t copied(dp_pool *pool)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    return stats.bytes_copied;
}

static uint64_t used(dp_pool *pool, dp_tier_id tier)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    return stats.tiers[tier].used_bytes;
}

/* ---- maps ---- */

static void a_movable_buffer_has_addresses_only_while_it_is_mapped(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = movable_get(rig.pool, 100);
    assert_non_null(buf);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HOST);
    assert_int_equal(dp_buf_size(buf), 100);
    assert_int_equal(dp_buf_capacity(buf), 100);
    assert_int_equal(dp_buf_kind(buf), DP_KIND_OTHER);
    assert_null(dp_buf_data(buf));
    void *host = NULL;
    void *same = NULL;
    assert_int_equal(dp_buf_map(buf, &host), DP_OK);
    assert_int_equal(dp_buf_map(buf, &same), DP_OK);
    assert_non_null(host);
    assert_ptr_equal(same, host);
    assert_ptr_equal(dp_buf_data(buf), host);
    memset(host, 7, 100);
    dp_buf_unmap(buf);
    assert_ptr_equal(dp_buf_data(buf), host); /* one bracket is still open */
    dp_buf_unmap(buf);
    assert_null(dp_buf_data(buf));
    uint64_t device = 1;
    assert_int_equal(dp_buf_map_device(buf, &device), DP_ERR_UNSUPPORTED);
    assert_int_equal(device, 1);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HBM), DP_OK);
    assert_int_equal(dp_buf_map(buf, &host), DP_ERR_UNSUPPORTED);
    assert_int_equal(dp_buf_map_device(buf, &device), DP_OK);
    assert_int_equal(dp_buf_device_address(buf), device);
    assert_int_equal(device % 256, 0);
    dp_buf_unmap(buf);
    assert_int_equal(dp_buf_device_address(buf), 0);
    dp_put(buf);
    pool_rig_close(&rig);
}

static void mapping_a_plain_buffer_tells_where_it_is(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = rig_get(rig.pool, DP_KIND_OTHER, 100);
    void *host = NULL;
    assert_int_equal(dp_buf_map(buf, &host), DP_OK);
    assert_ptr_equal(host, dp_buf_data(buf));
    dp_buf_unmap(buf);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HOST), DP_OK); /* it is there */
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_PINNED), DP_ERR_UNSUPPORTED);
    dp_put(buf);
    dp_request request = {.size_bytes = 64, .kind = DP_KIND_SURFACE, .batch_size = 8};
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    uint64_t device = 0;
    host = &request;
    assert_int_equal(dp_buf_map(buf, &host), DP_ERR_UNSUPPORTED);
    assert_ptr_equal(host, &request);
    assert_int_equal(dp_buf_map_device(buf, &device), DP_OK);
    assert_int_equal(device, dp_buf_device_address(buf));
    dp_buf_unmap(buf);
    dp_put(buf);
    pool_rig_close(&rig);
}

static void unmap_once_more(void *user)
{
    dp_buf *buf = user;
    void *host;
    (void)dp_buf_map(buf, &host);
    dp_buf_unmap(buf);
    dp_buf_unmap(buf);
}

static void put_while_mapped(void *user)
{
    dp_buf *buf = user;
    void *host;
    (void)dp_buf_map(buf, &host);
    dp_put(buf);
}

static void an_unmap_too_many_and_a_put_while_mapped_stop_the_program(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = movable_get(rig.pool, 100);
    assert_true(dies_of(unmap_once_more, buf, "maps > 0"));
    assert_true(dies_of(put_while_mapped, buf, "maps == 0"));
    dp_put(buf);
    pool_rig_close(&rig);
}

/* ---- moves ---- */

static void a_move_carries_the_bytes_between_any_two_tiers(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, 5000, 3 * MOVABLE_STAGE_BYTES + 77};
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        dp_buf *buf = movable_get(rig.pool, sizes[s]);
        dp_buf *shared = dp_ref(buf);
        fill(buf, sizes[s], s);
        for (unsigned i = 0; i < TIERS_ALL * TIERS_ALL; i++) {
            assert_int_equal(dp_buf_migrate(buf, tiers_all[i / TIERS_ALL]), DP_OK);
            dp_tier_id to = tiers_all[i % TIERS_ALL];
            uint64_t before = copied(rig.pool);
            bool moves = dp_buf_tier(buf) != to;
            assert_int_equal(dp_buf_migrate(shared, to), DP_OK);
            assert_int_equal(copied(rig.pool) - before, moves ? sizes[s] : 0);
            assert_int_equal(dp_buf_tier(buf), to);
            for (unsigned t = 0; t < TIERS_ALL; t++)
                assert_int_equal(used(rig.pool, tiers_all[t]) != 0, tiers_all[t] == to);
            check_filled(shared, sizes[s], s);
            assert_int_equal(dp_buf_size(buf), sizes[s]);
            pool_check(rig.pool);
        }
        dp_put(buf);
        dp_put(shared);
    }
    pool_rig_close(&rig);
}

static void a_move_from_device_to_device_is_staged_and_counted_twice(void **state)
{
    (void)state;
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    fake_tier_counts counts[DP_TIER_COUNT];
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    for (unsigned t = 0; t < TIERS_ALL; t++) {
        dp_tier_id id = tiers_all[t];
        fake_tier_plan plan = {.id = id, .device_only = id != DP_TIER_HOST};
        assert_non_null(tiers[id] = fake_tier_open(&plan, &counts[id]));
    }
    dp_pool *pool = NULL;
    assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
    size_t size_bytes = 2 * MOVABLE_STAGE_BYTES + 5;
    dp_buf *buf = movable_get(pool, size_bytes);
    fill(buf, size_bytes, 3);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HBM), DP_OK);
    uint64_t before = copied(pool);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_PINNED), DP_OK);
    assert_int_equal(copied(pool) - before, 2 * size_bytes);
    /* What it passed through went back. */
    assert_int_equal(used(pool, DP_TIER_HOST), 0);
    check_filled(buf, size_bytes, 3);
    dp_put(buf);
    pool_check(pool);
    dp_pool_destroy(pool);
}

/* Real tiers: those of this machine, a GPU's where there is one. */
static void a_move_carries_the_bytes_through_every_tier_of_this_machine(void **state)
{
    (void)state;
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool = NULL;
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    size_t size_bytes = 3 * MOVABLE_STAGE_BYTES + 77;
    dp_buf *buf = movable_get(pool, size_bytes);
    fill(buf, size_bytes, 6);
    unsigned visited = 0;
    for (unsigned i = 0; i < DP_TIER_COUNT * DP_TIER_COUNT; i++) {
        /* From each to each. */
        dp_tier_id to = (dp_tier_id)(i % 2 == 0 ? i / DP_TIER_COUNT : i % DP_TIER_COUNT);
        dp_tier_id before = dp_buf_tier(buf);
        dp_tier_info info;
        assert_int_equal(dp_pool_tier_info(pool, to, &info), DP_OK);
        bool serves = info.state == DP_OK && tier_has_regions(pool_tier(pool, to));
        assert_int_equal(dp_buf_migrate(buf, to), serves ? DP_OK : DP_ERR_UNSUPPORTED);
        assert_int_equal(dp_buf_tier(buf), serves ? to : before);
        void *host = NULL;
        assert_int_equal(dp_pool_tier_info(pool, dp_buf_tier(buf), &info), DP_OK);
        assert_int_equal(dp_buf_map(buf, &host) == DP_OK, info.host_visible);
        if (info.host_visible) {
            assert_true(is_filled(host, size_bytes, 6));
            dp_buf_unmap(buf);
        }
        check_filled(buf, size_bytes, 6);
        visited |= DP_TIER_BIT(dp_buf_tier(buf));
    }
    dp_put(buf);
    pool_check(pool);
    dp_pool_destroy(pool);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        if ((visited & DP_TIER_BIT(id)) != 0)
            print_message("movable: moved through %s\n", dp_tier_name((dp_tier_id)id));
    }
}

static void a_mapped_buffer_stays_where_it_is(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = movable_get(rig.pool, 1000);
    fill(buf, 1000, 1);
    void *host = NULL;
    assert_int_equal(dp_buf_map(buf, &host), DP_OK);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HBM), DP_ERR_BUSY);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HOST);
    assert_ptr_equal(dp_buf_data(buf), host);
    assert_true(is_filled(host, 1000, 1));
    assert_int_equal(used(rig.pool, DP_TIER_HBM), 0);
    dp_buf_unmap(buf);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HBM), DP_OK);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_PMEM), DP_ERR_UNSUPPORTED);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_COUNT), DP_ERR_INVALID);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HBM);
    check_filled(buf, 1000, 1);
    dp_put(buf);
    pool_rig_close(&rig);
}

static void a_copy_past_what_was_asked_for_is_refused_in_every_tier(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = movable_get(rig.pool, 100); /* the block has room for more */
    char bytes[128] = {0};
    for (unsigned t = 0; t < TIERS_ALL; t++) {
        assert_int_equal(dp_buf_migrate(buf, tiers_all[t]), DP_OK);
        assert_int_equal(dp_buf_write(buf, 0, bytes, 101), DP_ERR_INVALID);
        assert_int_equal(dp_buf_read(buf, 1, bytes, 100), DP_ERR_INVALID);
        assert_int_equal(dp_buf_write(buf, 0, bytes, 100), DP_OK);
    }
    dp_put(buf);
    pool_rig_close(&rig);
}

static void a_slice_of_a_movable_buffer_follows_it(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *buf = movable_get(rig.pool, 1000);
    fill(buf, 1000, 9);
    dp_slice part;
    assert_int_equal(dp_slice_make(buf, 0, 500, &part), DP_OK);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_HBM), DP_OK);
    dp_put(buf);
    unsigned char bytes[500];
    assert_null(dp_slice_data(&part));
    assert_int_equal(dp_slice_read(&part, 0, bytes, sizeof bytes), DP_OK);
    assert_true(is_filled(bytes, sizeof bytes, 9));
    assert_int_equal(dp_buf_migrate(part.buf, DP_TIER_PINNED), DP_OK);
    void *host = NULL;
    assert_int_equal(dp_buf_map(part.buf, &host), DP_OK);
    assert_ptr_equal(dp_slice_data(&part), host);
    assert_true(is_filled(dp_slice_data(&part), 500, 9));
    dp_buf_unmap(part.buf);
    dp_slice_put(&part);
    pool_rig_close(&rig);
}

static void handles_are_used_again_and_only_so_many_are_kept(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    static dp_buf *bufs[MOVABLE_KEPT_MAX + 10];
    dp_buf *first = movable_get(rig.pool, 64);
    dp_put(first);
    assert_ptr_equal(movable_get(rig.pool, 64), first);
    os_malloc_fail_nth(1); /* a handle that is kept costs no memory */
    dp_put(first);
    assert_ptr_equal(movable_get(rig.pool, 64), first);
    dp_put(first);
    assert_int_equal(os_malloc_fail_nth(0), 1);
    for (size_t i = 0; i < MOVABLE_KEPT_MAX + 10; i++)
        assert_non_null(bufs[i] = movable_get(rig.pool, 64));
    for (size_t i = 0; i < MOVABLE_KEPT_MAX + 10; i++)
        dp_put(bufs[i]);
    pool_check(rig.pool); /* asserts the bound */
    pool_rig_close(&rig);
}

/* ---- failing ---- */

/* A get, a move to the device and one back; how far it came without an error. */
static unsigned journey(dp_pool *pool, dp_buf **out)
{
    dp_buf *buf = movable_get(pool, 20000);
    *out = buf;
    if (buf == NULL)
        return 0;
    unsigned char bytes[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) + 5);
    if (dp_buf_write(buf, 0, bytes, sizeof bytes) != DP_OK)
        return 1;
    if (dp_buf_migrate(buf, DP_TIER_HBM) != DP_OK)
        return 2;
    return dp_buf_migrate(buf, DP_TIER_PINNED) == DP_OK ? 4 : 3;
}

static void journey_check(dp_pool *pool, dp_buf *buf, unsigned came)
{
    static const dp_tier_id where[] = {DP_TIER_NONE, DP_TIER_HOST, DP_TIER_HOST, DP_TIER_HBM,
                                       DP_TIER_PINNED};
    pool_check(pool);
    if (came == 0)
        return;
    assert_int_equal(dp_buf_tier(buf), where[came]);
    if (came > 1)
        check_filled(buf, 20000, 5);
    void *host = NULL;
    bool is_mapped = dp_buf_map(buf, &host) == DP_OK; /* nothing is left locked */
    assert_int_equal(is_mapped, where[came] != DP_TIER_HBM);
    if (is_mapped)
        dp_buf_unmap(buf);
    dp_put(buf);
    pool_check(pool);
}

static void every_allocation_may_fail_and_the_buffer_stays_as_it_was(void **state)
{
    (void)state;
    unsigned furthest = 0;
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        pool_rig rig = {0};
        pool_rig_open_all(&rig);
        dp_buf *buf = NULL;
        (void)os_malloc_fail_nth(nth);
        unsigned came = journey(rig.pool, &buf);
        fired = os_malloc_fail_nth(0) == 0;
        assert_true(fired || came == 4);
        furthest = came > furthest && came < 4 ? came : furthest;
        journey_check(rig.pool, buf, came);
        pool_rig_close(&rig);
    }
    assert_true(furthest >= 2); /* some of them failed a move */
}

/* Every call into the tier that can fail does, once. */
static unsigned sweep_tier(dp_tier_id faulty)
{
    unsigned failed = 0;
    unsigned came = 0;
    for (uint64_t nth = 1; came != 4; nth++) {
        const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
        fake_tier_counts counts[DP_TIER_COUNT];
        dp_tier *tiers[DP_TIER_COUNT] = {NULL};
        for (unsigned t = 0; t < TIERS_ALL; t++) {
            dp_tier_id id = tiers_all[t];
            fake_tier_plan plan = {.id = id, .device_only = id == DP_TIER_HBM};
            assert_non_null(tiers[id] = fake_tier_open(&plan, &counts[id]));
        }
        assert_int_equal(tier_fault_wrap(tiers[faulty], nth, 0, &tiers[faulty]), DP_OK);
        dp_pool *pool = NULL;
        dp_buf *buf = NULL;
        assert_int_equal(pool_create_over(&config, tiers, &pool), DP_OK);
        came = journey(pool, &buf);
        failed += came != 4;
        journey_check(pool, buf, came);
        dp_pool_destroy(pool);
    }
    return failed;
}

static void every_tier_call_may_fail_and_the_buffer_stays_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(sweep_tier(DP_TIER_PINNED), 1); /* its region */
    assert_int_equal(sweep_tier(DP_TIER_HBM), 3);    /* its region, the way in, the way out */
}

static void a_full_tier_refuses_and_counts(void **state)
{
    (void)state;
    static const size_t bytes_max[DP_TIER_COUNT] = {
        [DP_TIER_PINNED] = 256 << 10, [DP_TIER_PMEM] = SIZE_MAX};
    pool_rig rig = {0};
    pool_rig_open(&rig, bytes_max);
    dp_buf *buf = movable_get(rig.pool, 300 << 10);
    fill(buf, 300 << 10, 2);
    assert_int_equal(dp_buf_migrate(buf, DP_TIER_PINNED), DP_ERR_NOMEM);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HOST);
    check_filled(buf, 300 << 10, 2);
    dp_stats stats;
    dp_stats_read(rig.pool, &stats);
    assert_int_equal(stats.tiers[DP_TIER_PINNED].failed, 1);
    dp_put(buf);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_movable_buffer_has_addresses_only_while_it_is_mapped),
        cmocka_unit_test(mapping_a_plain_buffer_tells_where_it_is),
        cmocka_unit_test(an_unmap_too_many_and_a_put_while_mapped_stop_the_program),
        cmocka_unit_test(a_move_carries_the_bytes_between_any_two_tiers),
        cmocka_unit_test(a_move_from_device_to_device_is_staged_and_counted_twice),
        cmocka_unit_test(a_move_carries_the_bytes_through_every_tier_of_this_machine),
        cmocka_unit_test(a_mapped_buffer_stays_where_it_is),
        cmocka_unit_test(a_copy_past_what_was_asked_for_is_refused_in_every_tier),
        cmocka_unit_test(a_slice_of_a_movable_buffer_follows_it),
        cmocka_unit_test(handles_are_used_again_and_only_so_many_are_kept),
        cmocka_unit_test(every_allocation_may_fail_and_the_buffer_stays_as_it_was),
        cmocka_unit_test(every_tier_call_may_fail_and_the_buffer_stays_as_it_was),
        cmocka_unit_test(a_full_tier_refuses_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
