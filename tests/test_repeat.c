/* SPDX-License-Identifier: Apache-2.0 */
/* Repeats: the same and nearly the same, by one sender, within the window. */
#include "cm.h"

#include <string.h>

#include "pool/os.h"
#include "server/gate/identity.h"
#include "server/gate/repeat.h"

#define SECOND 1000000000ull

static const repeat_config usual = {
    .times = 3, .window_s = 10, .alike_percent = 80, .senders_max = 64};

static repeat_table *made(void)
{
    repeat_table *table;
    assert_int_equal(repeat_create(&usual, &table), DP_OK);
    return table;
}

static bool says(repeat_table *table, uint64_t who, const char *text, uint64_t now)
{
    uint32_t retry_ms = 0;
    bool is_repeated = repeat_check(table, who, text, strlen(text), now, &retry_ms);
    assert_int_equal(is_repeated, retry_ms > 0);
    return is_repeated;
}

static void the_nth_of_the_same_is_refused_until_the_window_ends(void **state)
{
    (void)state;
    repeat_table *table = made();
    uint32_t retry_ms = 0;
    assert_false(says(table, 1, "buy now", SECOND));
    assert_false(says(table, 1, "buy now", 2 * SECOND));
    assert_true(repeat_check(table, 1, "buy now", 7, 3 * SECOND, &retry_ms));
    assert_in_range(retry_ms, 8000, 8001);
    assert_true(says(table, 1, "buy now", 4 * SECOND));
    assert_false(says(table, 1, "something else", 4 * SECOND));
    assert_false(says(table, 2, "buy now", 4 * SECOND));
    assert_false(says(table, 1, "buy now", 11 * SECOND));
    repeat_destroy(table);
}

static void dressing_it_up_does_not_make_it_another(void **state)
{
    (void)state;
    repeat_table *table = made();
    assert_false(says(table, 1, "Buy now", SECOND));
    assert_false(says(table, 1, "b.u.y n0w!!!", SECOND));
    assert_true(says(table, 1, "BUUUY ｎｏｗ", SECOND));
    assert_false(says(table, 2, "哈哈哈", SECOND));
    assert_false(says(table, 2, "哈哈", SECOND));
    assert_true(says(table, 2, "哈哈哈哈哈哈", SECOND));
    assert_false(says(table, 3, "🐶🐶", SECOND));
    assert_false(says(table, 3, "🐶", SECOND));
    assert_false(says(table, 3, "🐱", SECOND));
    assert_true(says(table, 3, "🐶", SECOND));
    repeat_destroy(table);
}

static void nearly_the_same_counts_and_something_else_does_not(void **state)
{
    (void)state;
    repeat_table *table = made();
    assert_false(says(table, 1, "add me on this app for free coins and prizes today 28", SECOND));
    assert_false(says(table, 1, "add me on this app for free coins and prizes today 96", SECOND));
    assert_true(says(table, 1, "add me on this app for free coins and prizes today 62x", SECOND));
    assert_false(says(table, 2, "what a beautiful goal that was", SECOND));
    assert_false(says(table, 2, "the keeper had no chance at all", SECOND));
    assert_false(says(table, 2, "second half starts in a minute", SECOND));
    assert_false(says(table, 3, "yes", SECOND));
    assert_false(says(table, 3, "yep", SECOND));
    assert_false(says(table, 3, "yet", SECOND));
    repeat_destroy(table);
}

static void texts_said_in_turn_are_each_counted(void **state)
{
    (void)state;
    repeat_table *table = made();
    for (int round = 0; round < 2; round++) {
        assert_false(says(table, 1, "one thing", SECOND));
        assert_false(says(table, 1, "quite another", SECOND));
    }
    assert_true(says(table, 1, "one thing", SECOND));
    assert_true(says(table, 1, "quite another", SECOND));
    repeat_destroy(table);
}

static void the_longest_silent_sender_is_forgotten_first(void **state)
{
    (void)state;
    repeat_table *table = made();
    assert_false(says(table, 16, "spam", 1));
    assert_false(says(table, 16, "spam", 1));
    /* Four newer ones of the same set. */
    for (uint64_t i = 2; i < 6; i++) {
        assert_false(says(table, 16 * i, "spam", i));
        assert_false(says(table, 16 * i, "spam", i));
    }
    assert_true(says(table, 16 * 5, "spam", 7));
    assert_false(says(table, 16, "spam", 8));
    repeat_destroy(table);
}

static void it_can_be_off_and_exact(void **state)
{
    (void)state;
    repeat_table *table = made();
    repeat_config other = usual;
    other.times = 0;
    repeat_configure(table, &other);
    for (int i = 0; i < 10; i++) {
        assert_false(says(table, 1, "same", SECOND));
    }
    other.times = 2;
    other.alike_percent = 100;
    repeat_configure(table, &other);
    assert_false(says(table, 1, "a long text that is nearly the same as another text x", SECOND));
    assert_false(says(table, 1, "a long text that is nearly the same as another text z", SECOND));
    assert_true(says(table, 1, "a long text that is nearly the same as another text z", SECOND));
    repeat_destroy(table);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    repeat_table *table = NULL;
    os_malloc_fail_nth(1);
    assert_int_equal(repeat_create(&usual, &table), DP_ERR_NOMEM);
    assert_int_equal(os_malloc_fail_nth(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_of_the_same_is_refused_until_the_window_ends),
        cmocka_unit_test(dressing_it_up_does_not_make_it_another),
        cmocka_unit_test(nearly_the_same_counts_and_something_else_does_not),
        cmocka_unit_test(texts_said_in_turn_are_each_counted),
        cmocka_unit_test(the_longest_silent_sender_is_forgotten_first),
        cmocka_unit_test(it_can_be_off_and_exact),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
