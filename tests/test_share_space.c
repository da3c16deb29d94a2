/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of a share: taken in runs, never twice, given back once.  A model of one byte a block says
 * what should be.
 */
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include "dies.h"
#include "pool/os.h"
#include "pool/share_space.h"

static void a_space_gives_every_block_once_and_no_more(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 63, 64, 65, 200};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        share_space space;
        uint64_t first = 0;
        assert_int_equal(share_space_init(&space, sizes[s]), DP_OK);
        for (uint64_t i = 0; i < sizes[s]; i++) {
            assert_true(share_space_take(&space, 1, &first));
            assert_int_equal(first, i);
        }
        assert_false(share_space_take(&space, 1, &first));
        share_space_check(&space);
        share_space_give(&space, sizes[s] - 1, 1);
        assert_true(share_space_take(&space, 1, &first));
        assert_int_equal(first, sizes[s] - 1);
        share_space_fini(&space);
    }
}

static void a_run_crosses_words_and_fits_exactly(void **state)
{
    (void)state;
    share_space space;
    uint64_t first = 0;
    assert_int_equal(share_space_init(&space, 300), DP_OK);
    assert_true(share_space_take(&space, 300, &first));
    assert_int_equal(first, 0);
    share_space_give(&space, 50, 150);
    assert_false(share_space_take(&space, 151, &first));
    assert_true(share_space_take(&space, 150, &first));
    assert_int_equal(first, 50);
    share_space_check(&space);
    share_space_fini(&space);
}

static void the_lowest_block_that_came_back_is_the_next_to_go(void **state)
{
    (void)state;
    share_space space;
    uint64_t first = 0;
    assert_int_equal(share_space_init(&space, 128), DP_OK);
    assert_true(share_space_take(&space, 100, &first));
    share_space_give(&space, 70, 10);
    share_space_give(&space, 20, 10);
    assert_true(share_space_take(&space, 10, &first));
    assert_int_equal(first, 20);
    assert_true(share_space_take(&space, 10, &first));
    assert_int_equal(first, 70);
    share_space_fini(&space);
}

/* Runs that were taken, each with a number that marks its blocks in the model. */
static void random_takes_and_gives_agree_with_a_model(void **state)
{
    (void)state;
    enum { BLOCKS = 1000, RUNS = 64 };
    static uint8_t model[BLOCKS];
    uint64_t firsts[RUNS] = {0};
    uint64_t counts[RUNS] = {0};
    share_space space;
    srand(11);
    assert_int_equal(share_space_init(&space, BLOCKS), DP_OK);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rand() % RUNS;
        if (counts[i] == 0) {
            uint64_t count = 1 + (uint64_t)rand() % 90;
            if (!share_space_take(&space, count, &firsts[i]))
                continue;
            counts[i] = count;
            assert_true(firsts[i] + count <= BLOCKS);
            for (uint64_t at = firsts[i]; at < firsts[i] + count; at++)
                assert_int_equal(model[at]++, 0);
        } else {
            share_space_give(&space, firsts[i], counts[i]);
            memset(model + firsts[i], 0, counts[i]);
            counts[i] = 0;
        }
    }
    share_space_check(&space);
    share_space_fini(&space);
}

static void give_again(void *user)
{
    share_space_give(user, 3, 2);
}

static void give_outside(void *user)
{
    share_space_give(user, 9, 2);
}

static void giving_back_what_is_not_taken_is_caught(void **state)
{
    (void)state;
    share_space space;
    uint64_t first = 0;
    assert_int_equal(share_space_init(&space, 10), DP_OK);
    assert_true(share_space_take(&space, 4, &first));
    assert_true(dies_of(give_again, &space, "assertion failed"));
    assert_true(dies_of(give_outside, &space, "assertion failed"));
    share_space_fini(&space);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    share_space space;
    (void)os_malloc_fail_nth(1);
    assert_int_equal(share_space_init(&space, 10), DP_ERR_NOMEM);
    assert_int_equal(os_malloc_fail_nth(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_space_gives_every_block_once_and_no_more),
        cmocka_unit_test(a_run_crosses_words_and_fits_exactly),
        cmocka_unit_test(the_lowest_block_that_came_back_is_the_next_to_go),
        cmocka_unit_test(random_takes_and_gives_agree_with_a_model),
        cmocka_unit_test(giving_back_what_is_not_taken_is_caught),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
