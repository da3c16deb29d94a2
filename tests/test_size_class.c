/* SPDX-License-Identifier: Apache-2.0 */
/* Size classes: both directions agree at every boundary, and the bound on waste is what we say. */
#include "cm.h"

#include "pool/size_class.h"

static void each_size_belongs_to_the_smallest_class_that_holds_it(void **state)
{
    (void)state;
    size_t below = 0;
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        size_t bytes = size_class_bytes(i);
        assert_true(bytes > below);
        assert_int_equal(size_class_of(bytes), i);
        assert_int_equal(size_class_of(below + 1), i);
        below = bytes;
    }
}

static void classes_reach_from_one_byte_to_the_largest_request(void **state)
{
    (void)state;
    assert_int_equal(size_class_bytes(size_class_of(1)), 16);
    assert_int_equal(size_class_of(DP_SIZE_BYTES_MAX), SIZE_CLASS_COUNT - 1);
    assert_int_equal(size_class_bytes(SIZE_CLASS_COUNT - 1), DP_SIZE_BYTES_MAX);
}

static void waste_is_at_most_15_bytes_when_small_and_one_eighth_above(void **state)
{
    (void)state;
    size_t below = 0;
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
        size_t worst_request = below + 1;
        size_t waste = size_class_bytes(i) - worst_request;
        if (worst_request <= 128)
            assert_true(waste <= 15);
        else
            assert_true(waste * 8 <= worst_request);
        below = size_class_bytes(i);
    }
}

static void every_class_is_a_multiple_of_sixteen(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        assert_int_equal(size_class_bytes(i) % SIZE_CLASS_STEP_BYTES, 0);
}

/* What the slab relies on: rounding a request up to the tier's alignment first is enough. */
static void a_size_rounded_to_an_alignment_has_a_class_that_keeps_it(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        for (size_t size = 1; size < ((size_t)1 << 22); size += 1 + size / 7) {
            size_t rounded = os_align_up(size, alignment);
            assert_int_equal(size_class_bytes(size_class_of(rounded)) % alignment, 0);
        }
    }
}

static void families_change_at_128_bytes_and_above_2_kib(void **state)
{
    (void)state;
    assert_int_equal(size_class_family(size_class_of(112)), DP_FAMILY_TINY);
    assert_int_equal(size_class_family(size_class_of(128)), DP_FAMILY_MEDIUM);
    assert_int_equal(size_class_family(size_class_of(2048)), DP_FAMILY_MEDIUM);
    assert_int_equal(size_class_family(size_class_of(2049)), DP_FAMILY_LARGE);
    assert_int_equal(size_class_family(SIZE_CLASS_COUNT - 1), DP_FAMILY_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_size_belongs_to_the_smallest_class_that_holds_it),
        cmocka_unit_test(classes_reach_from_one_byte_to_the_largest_request),
        cmocka_unit_test(waste_is_at_most_15_bytes_when_small_and_one_eighth_above),
        cmocka_unit_test(every_class_is_a_multiple_of_sixteen),
        cmocka_unit_test(a_size_rounded_to_an_alignment_has_a_class_that_keeps_it),
        cmocka_unit_test(families_change_at_128_bytes_and_above_2_kib),
    };
    return cmocka_run_group_tests_name("size_class", tests, NULL, NULL);
}
