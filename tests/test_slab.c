/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slab allocator over a tier of our own: blocks never overlap, memory goes back, failures leave
 * nothing half done.  The walker runs after every step that changes something.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dies.h"
#include "fake_tier.h"
#include "pool/slab.h"

#define HUGE_BYTES ((size_t)3 << 20)

typedef struct slab_rig {
    fake_tier_counts counts;
    dp_tier *tier;
    slab *slab;
} slab_rig;

static void rig_open(slab_rig *rig, const fake_tier_plan *plan)
{
    rig->tier = fake_tier_open(plan, &rig->counts);
    assert_non_null(rig->tier);
    assert_int_equal(slab_create(rig->tier, NULL, &rig->slab), DP_OK);
}

static void rig_close(slab_rig *rig)
{
    slab_check(rig->slab);
    slab_destroy(rig->slab);
    assert_int_equal(rig->counts.regions_out, 0);
    assert_int_equal(rig->counts.bytes_out, 0);
    tier_close(rig->tier);
}

static dp_buf *get_one(slab *from, size_t size_bytes)
{
    dp_buf *buf = NULL;
    unsigned got = 0;
    size_t rounded = os_align_up(size_bytes, slab_alignment_bytes(from));
    if (slab_get(from, size_class_of(rounded), 1, &buf, &got) != DP_OK)
        return NULL;
    assert_int_equal(got, 1);
    return buf;
}

static void put_one(slab *to, dp_buf *buf)
{
    slab_put(to, &buf, 1);
}

static slab_stats stats_of(slab *of)
{
    slab_stats stats;
    slab_stats_read(of, &stats);
    return stats;
}

/* Fills each block with a byte of its own; a block that overlaps another spoils its bytes. */
static void blocks_of_all_sizes_do_not_overlap_and_are_aligned(void **state)
{
    (void)state;
    enum { COUNT = 600 };
    static dp_buf *bufs[COUNT];
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST, .alignment_bytes = 64});
    size_t size = 1;
    for (unsigned i = 0; i < COUNT; i++) {
        bufs[i] = get_one(rig.slab, size);
        assert_non_null(bufs[i]);
        assert_true(bufs[i]->capacity_bytes >= size);
        assert_int_equal((uintptr_t)bufs[i]->host % 64, 0);
        memset(bufs[i]->host, (int)(i & 0xff), bufs[i]->capacity_bytes);
        size = size > 200000 ? 1 : size + 1 + size / 5;
    }
    slab_check(rig.slab);
    for (unsigned i = 0; i < COUNT; i++) {
        const unsigned char *bytes = bufs[i]->host;
        for (size_t k = 0; k < bufs[i]->capacity_bytes; k++)
            assert_int_equal(bytes[k], i & 0xff);
        put_one(rig.slab, bufs[i]);
    }
    assert_int_equal(stats_of(rig.slab).live_blocks, 0);
    rig_close(&rig);
}

static void a_batch_has_as_many_blocks_as_it_says(void **state)
{
    (void)state;
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
    dp_buf *blocks[50] = {NULL};
    unsigned got = 0;
    assert_int_equal(slab_get(rig.slab, size_class_of(64), 50, blocks, &got), DP_OK);
    assert_int_equal(got, 50);
    for (unsigned i = 0; i < 50; i++) {
        assert_non_null(blocks[i]);
        assert_true(i == 0 || blocks[i] != blocks[i - 1]);
    }
    assert_int_equal(stats_of(rig.slab).live_blocks, 50);
    slab_check(rig.slab);
    slab_put(rig.slab, blocks, 50);
    rig_close(&rig);
}

static void a_device_tier_gets_addresses_that_are_never_dereferenced(void **state)
{
    (void)state;
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HBM, .device_only = true});
    dp_buf *first = get_one(rig.slab, 1000);
    dp_buf *second = get_one(rig.slab, 1000);
    assert_null(first->host);
    assert_true(first->device != 0 && first->device != second->device);
    size_t offset = 0;
    const tier_region *region = slab_region_of(second, &offset);
    assert_true(region->device + offset == second->device);
    put_one(rig.slab, first);
    put_one(rig.slab, second);
    rig_close(&rig);
}

static void only_memory_never_handed_out_counts_as_fresh(void **state)
{
    (void)state;
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
    dp_buf *buf = get_one(rig.slab, 100000);
    assert_int_equal(buf->flags & BUF_FRESH, BUF_FRESH);
    put_one(rig.slab, buf); /* ends the run: its descriptor is gone, its memory is not */
    dp_buf *again = get_one(rig.slab, 100000);
    assert_int_equal(again->flags & BUF_FRESH, 0);
    put_one(rig.slab, again);
    rig_close(&rig);
}

static void empty_regions_above_the_watermark_go_back_to_the_tier(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static dp_buf *bufs[COUNT];
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
    for (unsigned i = 0; i < COUNT; i++)
        bufs[i] = get_one(rig.slab, 10000);
    assert_true(rig.counts.regions_out > 10);
    for (unsigned i = 0; i < COUNT; i++) {
        put_one(rig.slab, bufs[i]);
        slab_check(rig.slab);
        slab_stats stats = stats_of(rig.slab);
        assert_true(stats.empty_bytes <= (size_t)256 << 10 ||
                    stats.empty_bytes <= stats.capacity_bytes / 8);
    }
    assert_int_equal(rig.counts.regions_out, 1);
    assert_int_equal(stats_of(rig.slab).capacity_bytes, rig.counts.bytes_out);
    slab_trim(rig.slab);
    assert_int_equal(rig.counts.regions_out, 0);
    rig_close(&rig);
}

static void a_huge_block_that_comes_back_is_kept_for_the_next(void **state)
{
    (void)state;
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
    put_one(rig.slab, get_one(rig.slab, HUGE_BYTES));
    unsigned calls = rig.counts.calls;
    for (unsigned i = 0; i < 100; i++) {
        dp_buf *buf = get_one(rig.slab, HUGE_BYTES);
        assert_int_equal(buf->flags & BUF_WRAP, 0);
        put_one(rig.slab, buf);
        slab_check(rig.slab);
    }
    assert_int_equal(rig.counts.calls, calls);
    rig_close(&rig);
}

static void kept_huge_blocks_are_bounded_in_number_and_bytes(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    dp_buf *bufs[COUNT];
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
    for (unsigned i = 0; i < COUNT; i++)
        bufs[i] = get_one(rig.slab, HUGE_BYTES);
    for (unsigned i = 0; i < COUNT; i++)
        put_one(rig.slab, bufs[i]);
    assert_int_equal(rig.counts.regions_out, SLAB_HUGE_KEPT_MAX);
    for (unsigned i = 0; i < 4; i++)
        bufs[i] = get_one(rig.slab, (size_t)30 << 20);
    for (unsigned i = 0; i < 4; i++)
        put_one(rig.slab, bufs[i]);
    assert_true(rig.counts.bytes_out <= SLAB_HUGE_KEPT_BYTES_MAX);
    put_one(rig.slab, get_one(rig.slab, (size_t)100 << 20)); /* larger than all that may be kept */
    assert_true(rig.counts.bytes_out <= SLAB_HUGE_KEPT_BYTES_MAX);
    rig_close(&rig);
}

static void a_full_tier_fails_the_get_and_takes_the_block_when_one_is_back(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    dp_buf *bufs[COUNT];
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST, .bytes_max = (size_t)512 << 10});
    unsigned count = 0;
    while (count < COUNT && (bufs[count] = get_one(rig.slab, 20000)) != NULL)
        count++;
    /* 512 KiB / 20,480 B is 25.6.  Runs of 5 units leave 3 in each region, which hold 4 blocks. */
    assert_in_range(count, 24, 26);
    slab_check(rig.slab);
    put_one(rig.slab, bufs[--count]);
    bufs[count] = get_one(rig.slab, 20000);
    assert_non_null(bufs[count++]);
    while (count > 0)
        put_one(rig.slab, bufs[--count]);
    rig_close(&rig);
}

static void a_run_fills_a_gap_before_another_region_is_taken(void **state)
{
    (void)state;
    enum { COUNT = 26 };
    dp_buf *bufs[COUNT];
    slab_rig rig;
    /* 8 units: a run of 5 holds 16 such blocks, one of the other 3 holds 9. */
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST, .region_bytes = 8 * SLAB_UNIT_BYTES});
    for (unsigned i = 0; i < COUNT; i++) {
        bufs[i] = get_one(rig.slab, 10240);
        assert_int_equal(rig.counts.regions_out, i < 25 ? 1 : 2);
        slab_check(rig.slab);
    }
    for (unsigned i = 0; i < COUNT; i++)
        put_one(rig.slab, bufs[i]);
    rig_close(&rig);
}

static void a_run_that_ended_leaves_its_memory_to_the_next(void **state)
{
    (void)state;
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
    put_one(rig.slab, get_one(rig.slab, 1000));
    os_malloc_fail_nth(1);
    dp_buf *again = get_one(rig.slab, 1000);
    dp_buf *other = get_one(rig.slab, 100000);  /* its memory is smaller */
    assert_int_equal(os_malloc_fail_nth(0), 0); /* asked for some, and got none */
    assert_non_null(again);
    assert_null(other);
    put_one(rig.slab, again);
    slab_trim(rig.slab);
    os_malloc_fail_nth(1);
    assert_null(get_one(rig.slab, 1000));
    os_malloc_fail_nth(0);
    rig_close(&rig);
}

static void what_is_kept_unused_is_given_up_before_a_get_fails(void **state)
{
    (void)state;
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST, .bytes_max = (size_t)4 << 20});
    put_one(rig.slab, get_one(rig.slab, HUGE_BYTES)); /* kept: 3 of 4 MiB */
    dp_buf *larger = get_one(rig.slab, (size_t)4 << 20);
    assert_non_null(larger);
    assert_null(get_one(rig.slab, 16));
    put_one(rig.slab, larger);
    dp_buf *small = get_one(rig.slab, 16);
    assert_non_null(small);
    put_one(rig.slab, small);
    rig_close(&rig);
}

/* Regions of odd sizes: smaller than a unit, not a multiple of it, more than 64 units. */
static void any_region_size_of_a_tier_serves_small_and_large_blocks(void **state)
{
    (void)state;
    static const size_t region_bytes[] = {1, 4096, 65536, 100000, 3 << 20, 33 << 20};
    for (unsigned i = 0; i < sizeof region_bytes / sizeof region_bytes[0]; i++) {
        slab_rig rig;
        rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST, .region_bytes = region_bytes[i]});
        for (size_t size = 1; size < (size_t)5 << 20; size *= 3) {
            dp_buf *first = get_one(rig.slab, size);
            dp_buf *second = get_one(rig.slab, size);
            memset(first->host, 1, first->capacity_bytes);
            memset(second->host, 2, second->capacity_bytes);
            slab_check(rig.slab);
            assert_int_equal(((char *)first->host)[first->capacity_bytes - 1], 1);
            put_one(rig.slab, first);
            put_one(rig.slab, second);
        }
        rig_close(&rig);
    }
}

/* The n-th allocation of bookkeeping fails, for n = 1, 2, 3 ... until nothing fails any more. */
static void a_failed_allocation_of_bookkeeping_leaves_nothing_behind(void **state)
{
    (void)state;
    static const size_t sizes[] = {64, 5000, 300000, HUGE_BYTES};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            slab_rig rig;
            rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
            os_malloc_fail_nth(nth);
            dp_buf *buf = get_one(rig.slab, sizes[i]);
            os_malloc_fail_nth(0);
            failed = buf == NULL;
            assert_true(nth < 10);
            assert_true(nth > 2 || failed); /* a run or region, and its region: at least two */
            slab_check(rig.slab);
            if (buf != NULL)
                put_one(rig.slab, buf);
            rig_close(&rig);
        }
    }
}

static void a_slab_that_cannot_be_made_says_so(void **state)
{
    (void)state;
    fake_tier_counts counts;
    dp_tier *tier = fake_tier_open(&(fake_tier_plan){.id = DP_TIER_HOST}, &counts);
    slab *made = NULL;
    os_malloc_fail_nth(1);
    assert_int_equal(slab_create(tier, NULL, &made), DP_ERR_NOMEM);
    os_malloc_fail_nth(0);
    assert_null(made);
    tier_close(tier);
}

static void the_walker_survives_a_long_random_life(void **state)
{
    (void)state;
    enum { COUNT = 300, STEPS = 20000 };
    static dp_buf *bufs[COUNT];
    unsigned seed = 20240611;
    printf("seed %u\n", seed);
    srand(seed);
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST, .bytes_max = (size_t)16 << 20});
    memset(bufs, 0, sizeof bufs);
    for (unsigned step = 0; step < STEPS; step++) {
        dp_buf **slot = &bufs[(unsigned)rand() % COUNT];
        if (*slot != NULL) {
            put_one(rig.slab, *slot);
            *slot = NULL;
        } else {
            /* Every order of magnitude alike, so that small and huge blocks compete. */
            size_t size = 1 + (size_t)rand() % ((size_t)16 << ((unsigned)rand() % 18));
            *slot = get_one(rig.slab, size);
        }
        if (step % 64 == 0)
            slab_check(rig.slab);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        if (bufs[i] != NULL)
            put_one(rig.slab, bufs[i]);
    }
    rig_close(&rig);
}

static void put_twice(void *user)
{
    slab_rig *rig = user;
    dp_buf *buf = get_one(rig->slab, 64);
    put_one(rig->slab, buf);
    put_one(rig->slab, buf);
}

static void make_a_loop(void *user)
{
    slab_rig *rig = user;
    dp_buf *kept = get_one(rig->slab, 64);
    dp_buf *first = get_one(rig->slab, 64);
    dp_buf *second = get_one(rig->slab, 64);
    assert_non_null(kept);
    put_one(rig->slab, first);
    put_one(rig->slab, second);
    first->next = second;
    slab_check(rig->slab);
}

static void the_walker_finds_a_block_that_is_free_twice(void **state)
{
    (void)state;
    slab_rig rig;
    rig_open(&rig, &(fake_tier_plan){.id = DP_TIER_HOST});
    dp_buf *keeps_the_run = get_one(rig.slab, 64);
    assert_true(dies_of(put_twice, &rig, "BUF_REST"));
    assert_true(dies_of(make_a_loop, &rig, "BUF_MARK"));
    put_one(rig.slab, keeps_the_run);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_all_sizes_do_not_overlap_and_are_aligned),
        cmocka_unit_test(a_batch_has_as_many_blocks_as_it_says),
        cmocka_unit_test(a_device_tier_gets_addresses_that_are_never_dereferenced),
        cmocka_unit_test(only_memory_never_handed_out_counts_as_fresh),
        cmocka_unit_test(empty_regions_above_the_watermark_go_back_to_the_tier),
        cmocka_unit_test(a_huge_block_that_comes_back_is_kept_for_the_next),
        cmocka_unit_test(kept_huge_blocks_are_bounded_in_number_and_bytes),
        cmocka_unit_test(a_full_tier_fails_the_get_and_takes_the_block_when_one_is_back),
        cmocka_unit_test(a_run_fills_a_gap_before_another_region_is_taken),
        cmocka_unit_test(a_run_that_ended_leaves_its_memory_to_the_next),
        cmocka_unit_test(what_is_kept_unused_is_given_up_before_a_get_fails),
        cmocka_unit_test(any_region_size_of_a_tier_serves_small_and_large_blocks),
        cmocka_unit_test(a_failed_allocation_of_bookkeeping_leaves_nothing_behind),
        cmocka_unit_test(a_slab_that_cannot_be_made_says_so),
        cmocka_unit_test(the_walker_survives_a_long_random_life),
        cmocka_unit_test(the_walker_finds_a_block_that_is_free_twice),
    };
    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
