/* SPDX-License-Identifier: Apache-2.0 */
/* What an overfull room shows: budgets over time, lanes that run into debt, keys of like texts. */
#include "cm.h"

#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "server/room/density.h"

#define SECOND_NS 1000000000u

static message text(const char *bytes)
{
    return (message){.kind = MESSAGE_TEXT,
                     .lane = MESSAGE_LANE_NORMAL,
                     .color = 0xffffff,
                     .text = {.bytes = bytes, .size_bytes = (uint32_t)strlen(bytes)}};
}

static uint64_t key_of(const char *bytes)
{
    const message in = text(bytes);
    return merge_key(&in);
}

static void a_flood_is_sampled_evenly_in_time(void **state)
{
    (void)state;
    room_budget budget;
    enum { PER_S = 50, FLOOD_PER_S = 100000, SECONDS = 10 };
    unsigned shown[SECONDS] = {0};
    uint64_t last_ns = 0;
    uint64_t widest_ns = 0;
    room_budget_fill(&budget, PER_S, SECOND_NS);
    for (uint64_t i = 0; i < (uint64_t)FLOOD_PER_S * SECONDS; i++) {
        uint64_t now_ns = SECOND_NS + i * (SECOND_NS / FLOOD_PER_S);
        if (room_budget_take(&budget, PER_S, MESSAGE_LANE_NORMAL, now_ns)) {
            shown[i / FLOOD_PER_S]++;
            widest_ns = last_ns != 0 && now_ns - last_ns > widest_ns ? now_ns - last_ns : widest_ns;
            last_ns = now_ns;
        }
    }
    assert_in_range(shown[0], PER_S + PER_S / 4 - 1, PER_S + PER_S / 4 + 1);
    for (unsigned second = 1; second < SECONDS; second++) {
        assert_in_range(shown[second], PER_S - 1, PER_S + 1);
    }
    /* Twice the even distance would be a gap. */
    assert_true(widest_ns < 2 * (SECOND_NS / PER_S));
}

static void important_lanes_are_shown_on_credit_and_the_ordinary_pay(void **state)
{
    (void)state;
    room_budget budget;
    uint64_t now_ns = SECOND_NS;
    room_budget_fill(&budget, 100, now_ns);
    while (room_budget_take(&budget, 100, MESSAGE_LANE_NORMAL, now_ns)) {
    }
    assert_true(room_budget_is_tight(&budget, 100));
    unsigned moderators = 0;
    while (room_budget_take(&budget, 100, MESSAGE_LANE_MODERATOR, now_ns)) {
        moderators++;
    }
    unsigned supers = 0;
    while (room_budget_take(&budget, 100, MESSAGE_LANE_SUPER, now_ns)) {
        supers++;
    }
    assert_int_equal(moderators, 50);
    assert_int_equal(supers, 50);
    for (int i = 0; i < 1000; i++) {
        assert_true(room_budget_take(&budget, 100, MESSAGE_LANE_CONTROL, now_ns));
    }
    /* A second's debt is paid back in a second. */
    assert_false(room_budget_take(&budget, 100, MESSAGE_LANE_NORMAL, now_ns + SECOND_NS));
    assert_true(
        room_budget_take(&budget, 100, MESSAGE_LANE_NORMAL, now_ns + SECOND_NS + SECOND_NS / 50));
}

static void without_a_budget_everything_is_shown(void **state)
{
    (void)state;
    room_budget budget;
    room_budget_fill(&budget, 0, 0);
    for (int i = 0; i < 100000; i++) {
        assert_true(room_budget_take(&budget, 0, MESSAGE_LANE_NORMAL, 0));
    }
    assert_false(room_budget_is_tight(&budget, 0));
}

static void a_clock_that_stands_or_goes_back_gives_nothing(void **state)
{
    (void)state;
    room_budget budget;
    room_budget_fill(&budget, 4, 5 * (uint64_t)SECOND_NS);
    assert_true(room_budget_take(&budget, 4, MESSAGE_LANE_NORMAL, 5 * (uint64_t)SECOND_NS));
    assert_false(room_budget_take(&budget, 4, MESSAGE_LANE_NORMAL, SECOND_NS));
    assert_true(room_budget_take(&budget, 4, MESSAGE_LANE_NORMAL, UINT64_MAX));
}

static void like_texts_have_one_key(void **state)
{
    (void)state;
    assert_int_not_equal(key_of("Hello World"), 0);
    assert_int_equal(key_of("Hello World"), key_of("hello  world"));
    assert_int_equal(key_of("ABC！"), key_of("ａｂｃ!"));
    assert_int_equal(key_of("你好　吗"), key_of("你好吗"));
    assert_int_not_equal(key_of("666"), key_of("6666"));
    assert_int_not_equal(key_of("a"), key_of("b"));
    message in = text("a");
    in.mode = PROTOCOL_MODE_TOP;
    assert_int_not_equal(merge_key(&in), key_of("a"));
    in = text("a");
    in.color = 0xfefefe;
    assert_int_equal(merge_key(&in), key_of("a"));
    in.color = 0xff0000;
    assert_int_not_equal(merge_key(&in), key_of("a"));
}

static void what_would_lose_something_is_never_merged(void **state)
{
    (void)state;
    message in = text("a");
    in.ext = (message_slice){.bytes = "1", .size_bytes = 1};
    assert_int_equal(merge_key(&in), 0);
    in = text("a");
    in.lane = MESSAGE_LANE_MODERATOR;
    assert_int_equal(merge_key(&in), 0);
    in = text("a");
    in.kind = MESSAGE_SUPER_CHAT;
    assert_int_equal(merge_key(&in), 0);
    char longest[ROOM_MERGE_TEXT_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    in.kind = MESSAGE_TEXT;
    in.text = (message_slice){.bytes = longest, .size_bytes = ROOM_MERGE_TEXT_BYTES_MAX};
    assert_int_not_equal(merge_key(&in), 0);
    in.text.size_bytes++;
    assert_int_equal(merge_key(&in), 0);
}

static void the_table_forgets_the_least_recent_and_never_grows(void **state)
{
    (void)state;
    merge_table table = {.slots = NULL};
    assert_null(merge_find(&table, 64));
    /* Five keys of one set of four. */
    for (uint64_t i = 1; i <= 5; i++) {
        merge_note(&table, i * 64, i, i);
    }
    assert_null(merge_find(&table, 64));
    for (uint64_t i = 2; i <= 5; i++) {
        assert_int_equal(merge_find(&table, i * 64)->seq, i);
    }
    merge_note(&table, 2 * 64, 9, 9);
    merge_note(&table, 6 * 64, 6, 10);
    assert_int_equal(merge_find(&table, 2 * 64)->seq, 9);
    assert_null(merge_find(&table, 3 * 64));
    merge_table_clear(&table);
    /* No memory: it is not noted. */
    (void)os_malloc_fail_nth(1);
    merge_note(&table, 64, 1, 1);
    (void)os_malloc_fail_nth(0);
    assert_null(merge_find(&table, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_is_sampled_evenly_in_time),
        cmocka_unit_test(important_lanes_are_shown_on_credit_and_the_ordinary_pay),
        cmocka_unit_test(without_a_budget_everything_is_shown),
        cmocka_unit_test(a_clock_that_stands_or_goes_back_gives_nothing),
        cmocka_unit_test(like_texts_have_one_key),
        cmocka_unit_test(what_would_lose_something_is_never_merged),
        cmocka_unit_test(the_table_forgets_the_least_recent_and_never_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
