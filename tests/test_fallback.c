/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fallback by itself: its bound, what it keeps, and no memory.
 */
#include "cm.h"

#include <string.h>

#include "pool/fallback.h"

#define KIB ((size_t)1 << 10)

static void a_block_is_as_large_as_its_size_class(void **state)
{
    (void)state;
    fallback here;
    fallback_init(&here, 64 * KIB);
    fallback_block *block = fallback_get(&here, 1000);
    assert_non_null(block);
    assert_int_equal(block->size_bytes, size_class_bytes(size_class_of(1000)));
    assert_int_equal((uintptr_t)block->bytes % 64, 0);
    memset(block->bytes, 0xa5, block->size_bytes);
    fallback_check(&here);
    fallback_put(&here, block);
    fallback_check(&here);
    fallback_destroy(&here);
}

static void held_and_kept_blocks_never_exceed_the_bound(void **state)
{
    (void)state;
    fallback here;
    fallback_init(&here, 64 * KIB);
    fallback_block *held[16];
    for (unsigned i = 0; i < 16; i++)
        assert_non_null(held[i] = fallback_get(&here, 4 * KIB));
    assert_null(fallback_get(&here, 1));
    for (unsigned i = 0; i < 16; i++)
        fallback_put(&here, held[i]);
    assert_int_equal(here.kept_bytes, 16 * KIB); /* a quarter */
    /* Another size: kept blocks make way. */
    fallback_block *large = fallback_get(&here, 56 * KIB);
    assert_non_null(large);
    assert_int_equal(here.kept_bytes, 8 * KIB);
    fallback_check(&here);
    fallback_put(&here, large);
    assert_null(fallback_get(&here, 64 * KIB + 1));
    fallback_stats stats;
    fallback_stats_read(&here, &stats);
    assert_int_equal(stats.gets, 17);
    assert_int_equal(stats.puts, 17);
    assert_int_equal(stats.held_bytes, 0);
    fallback_destroy(&here);
}

static void small_blocks_are_kept_before_large_ones(void **state)
{
    (void)state;
    fallback here;
    fallback_init(&here, 64 * KIB);
    fallback_block *large[] = {fallback_get(&here, 8 * KIB), fallback_get(&here, 8 * KIB)};
    fallback_block *small = fallback_get(&here, KIB);
    fallback_put(&here, large[0]);
    fallback_put(&here, large[1]);
    assert_int_equal(here.kept_bytes, 16 * KIB); /* all that may be */
    fallback_put(&here, small);
    assert_int_equal(here.kept_bytes, 9 * KIB);
    fallback_check(&here);
    assert_ptr_equal(fallback_get(&here, KIB), small);
    fallback_block *larger = fallback_get(&here, 12 * KIB);
    fallback_put(&here, larger); /* beside the large one it has no room, and drives out nothing */
    assert_int_equal(here.kept_bytes, 8 * KIB);
    fallback_put(&here, small);
    fallback_check(&here);
    fallback_destroy(&here);
}

static void what_came_back_last_is_given_first(void **state)
{
    (void)state;
    fallback here;
    fallback_init(&here, 1024 * KIB);
    fallback_block *held[8];
    for (unsigned i = 0; i < 8; i++)
        held[i] = fallback_get(&here, 512 + 512 * (i % 2));
    for (unsigned i = 0; i < 8; i++)
        fallback_put(&here, held[i]);
    fallback_check(&here);
    fallback_block *again = fallback_get(&here, 512);
    assert_ptr_equal(again, held[6]);
    fallback_put(&here, again);
    fallback_destroy(&here);
}

static void a_bound_of_nothing_refuses_everything(void **state)
{
    (void)state;
    fallback here;
    fallback_init(&here, 0);
    assert_null(fallback_get(&here, 1));
    fallback_check(&here);
    fallback_destroy(&here);
}

static void without_memory_nothing_stays_booked(void **state)
{
    (void)state;
    fallback here;
    fallback_init(&here, 64 * KIB);
    (void)os_malloc_fail_nth(1);
    assert_null(fallback_get(&here, 4 * KIB));
    assert_int_equal(os_malloc_fail_nth(0), 0);
    fallback_check(&here);
    assert_int_equal(here.held_bytes, 0);
    fallback_destroy(&here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_as_large_as_its_size_class),
        cmocka_unit_test(held_and_kept_blocks_never_exceed_the_bound),
        cmocka_unit_test(small_blocks_are_kept_before_large_ones),
        cmocka_unit_test(what_came_back_last_is_given_first),
        cmocka_unit_test(a_bound_of_nothing_refuses_everything),
        cmocka_unit_test(without_memory_nothing_stays_booked),
    };
    return cmocka_run_group_tests_name("fallback", tests, NULL, NULL);
}
