/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rooms and batches: numbering, windows, rings, history, views; time is passed in.
 */
#include "room_rig.h"

#include <stdio.h>

#include <danpool/tenant.h>

/* rig_text() in JSON. */
#define MESSAGE(seq, text)                                                                         \
    "{\"seq\":" seq ",\"ts\":0,\"kind\":\"text\",\"text\":\"" text                                 \
    "\",\"mode\":"                                                                                 \
    "\"scroll\",\"color\":\"#ffffff\",\"size\":25}"

/* Six messages of a few bytes in each of the tiers that there are. */
static int set_up_tenants(void **state)
{
    room_config config = rig_config();
    config.history_max = 1000;
    config.quota_bytes_max = 1024;
    return rig_set_up(state, config);
}

static int set_up(void **state)
{
    return rig_set_up(state, rig_config());
}

static int set_up_single(void **state)
{
    room_config config = rig_config();
    config.batch_messages_max = 1;
    config.history_max = 0;
    return rig_set_up(state, config);
}

static void a_quiet_room_sends_the_first_message_at_once(void **state)
{
    room_rig *made = *state;
    room_view *view = rig_join(made, 0, FORMAT_JSON);
    room_admitted admitted = rig_admit(made, "a", START_NS);
    assert_int_equal(admitted.seq, 1);
    assert_false(admitted.flush_later);
    assert_int_equal(made->notified, 1);
    room_view_pull(view);
    assert_int_equal(view->ring.head, 1);
    assert_frame(batch_ring_at(&view->ring, 0)->frame,
                 "{\"op\":\"batch\",\"seq\":1,\"missed\":0,\"msgs\":[" MESSAGE("1", "a") "]}");
    rig_part(view);
}

static void a_busy_room_gathers_one_window_and_promises_one_flush(void **state)
{
    room_rig *made = *state;
    room_view *view = rig_join(made, 0, FORMAT_JSON);
    (void)rig_admit(made, "a", START_NS);
    room_admitted second = rig_admit(made, "b", START_NS + 1);
    room_admitted third = rig_admit(made, "c", START_NS + 2);
    assert_true(second.flush_later);
    assert_int_equal(second.flush_at_ns, START_NS + WINDOW_NS);
    assert_false(third.flush_later);
    assert_int_equal(made->notified, 1);
    assert_int_not_equal(room_flush(made->room, second.flush_at_ns - 1), 0);
    assert_int_equal(room_flush(made->room, second.flush_at_ns), 0);
    room_view_pull(view);
    assert_int_equal(view->ring.head, 2);
    assert_frame(batch_ring_at(&view->ring, 1)->frame,
                 "{\"op\":\"batch\",\"seq\":2,\"missed\":0,\"msgs\":[" MESSAGE(
                     "2", "b") "," MESSAGE("3", "c") "]}");
    assert_int_equal(view->next_seq, 4);
    rig_part(view);
}

static void a_loop_that_writes_for_long_gets_time_to_read(void **state)
{
    room_rig *made = *state;
    (void)rig_admit(made, "a", START_NS);
    uint64_t written_ns = START_NS + 3 * WINDOW_NS;
    room_written(made->room, written_ns);
    room_admitted second = rig_admit(made, "b", written_ns + 1);
    assert_true(second.flush_later);
    assert_int_equal(second.flush_at_ns, written_ns + WINDOW_NS / 4);
    assert_int_equal(made->notified, 0);
    room_flush_now(made->room, written_ns + 2);
}

/* A flush of `count` messages, written by written_ns after it; when the next one leaves. */
static uint64_t next_flush(room_rig *rig, uint64_t start_ns, unsigned count, uint64_t written_ns)
{
    (void)rig_admit(rig, "a", start_ns - WINDOW_NS); /* leaves at once */
    for (unsigned i = 0; i < count; i++) {
        (void)rig_admit(rig, "b", start_ns - WINDOW_NS / 2);
    }
    assert_int_equal(room_flush(rig->room, start_ns), 0);
    room_written(rig->room, start_ns + written_ns);
    room_admitted next = rig_admit(rig, "c", start_ns + written_ns + 1);
    assert_true(next.flush_later);
    assert_int_equal(room_flush(rig->room, next.flush_at_ns), 0);
    return next.flush_at_ns - start_ns;
}

static void a_window_ends_earlier_by_what_the_writing_takes(void **state)
{
    room_rig *made = *state;
    const uint64_t written_ns[] = {WINDOW_NS / 40, WINDOW_NS / 4, WINDOW_NS / 2, WINDOW_NS};
    const uint64_t flush_ns[] = {WINDOW_NS, WINDOW_NS, WINDOW_NS * 3 / 4, WINDOW_NS * 5 / 4};
    for (unsigned i = 0; i < 4; i++) {
        uint64_t start_ns = START_NS + (i + 1) * 100 * (uint64_t)WINDOW_NS;
        assert_int_equal(next_flush(made, start_ns, 2, written_ns[i]), flush_ns[i]);
    }
}

static void a_room_with_little_to_write_waits_little(void **state)
{
    room_rig *made = *state;
    uint64_t start_ns = START_NS + 100 * (uint64_t)WINDOW_NS;
    /* From the end of the writing a quarter is free in any case. */
    assert_int_equal(next_flush(made, start_ns, 1, WINDOW_NS / 40), WINDOW_NS / 40 + WINDOW_NS / 4);
    start_ns += 100 * (uint64_t)WINDOW_NS;
    assert_int_equal(next_flush(made, start_ns, 1, WINDOW_NS / 8), WINDOW_NS);
    start_ns += 100 * (uint64_t)WINDOW_NS;
    assert_int_equal(next_flush(made, start_ns, 2, WINDOW_NS / 40), WINDOW_NS);
}

static void one_message_a_batch_is_one_batch_a_message(void **state)
{
    room_rig *made = *state;
    room_view *view = rig_join(made, 0, FORMAT_JSON);
    for (unsigned i = 0; i < 3; i++) {
        (void)rig_admit(made, "a", START_NS + i * WINDOW_NS);
    }
    room_view_pull(view);
    assert_int_equal(view->ring.head, 3);
    assert_int_equal(batch_ring_at(&view->ring, 2)->count, 1);
    rig_part(view);
}

static void a_view_that_slept_past_the_ring_sees_the_gap_in_the_numbers(void **state)
{
    room_rig *made = *state;
    room_view *view = rig_join(made, 0, FORMAT_JSON);
    for (unsigned i = 0; i < 10; i++) {
        (void)rig_admit(made, "a", START_NS + i * WINDOW_NS);
    }
    room_view_pull(view);
    assert_int_equal(view->ring.head - view->ring.tail, 4);
    assert_int_equal(batch_ring_at(&view->ring, view->ring.tail)->first_seq, 7);
    rig_part(view);
}

static void the_first_view_shares_the_frame_and_the_next_gets_a_copy(void **state)
{
    room_rig *made = *state;
    room_view *first = rig_join(made, 0, FORMAT_JSON);
    room_view *second = rig_join(made, 1, FORMAT_JSON);
    (void)rig_admit(made, "a", START_NS);
    room_view_pull(first);
    room_view_pull(second);
    const dp_buf *one = batch_ring_at(&first->ring, 0)->frame;
    const dp_buf *two = batch_ring_at(&second->ring, 0)->frame;
    assert_ptr_not_equal(one, two);
    assert_int_equal(dp_buf_size(one), dp_buf_size(two));
    assert_memory_equal((const char *)dp_buf_data(one) + BATCH_HEADROOM,
                        (const char *)dp_buf_data(two) + BATCH_HEADROOM,
                        dp_buf_size(one) - BATCH_HEADROOM);
    rig_part(first);
    rig_part(second);
}

static void history_keeps_the_newest_and_a_joiner_never_sees_one_twice(void **state)
{
    room_rig *made = *state;
    for (unsigned i = 0; i < 5; i++) {
        (void)rig_admit(made, "a", START_NS + i * WINDOW_NS);
    }
    (void)rig_admit(made, "w", START_NS + 4 * WINDOW_NS + 1); /* stays in the window */
    dp_buf *body;
    assert_int_equal(room_history(made->room, 200, &body), DP_OK);
    assert_non_null(strstr((char *)dp_buf_data(body), "\"seq\":6"));
    dp_put(body);
    room_view *view = rig_join(made, 0, FORMAT_JSON);
    dp_buf *history = NULL;
    assert_int_equal(room_view_history(view, 200, &history), DP_OK);
    assert_frame(history,
                 "{\"op\":\"batch\",\"seq\":4,\"missed\":0,\"history\":true,\"msgs\":[" MESSAGE(
                     "4", "a") "," MESSAGE("5", "a") "]}");
    dp_put(history);
    assert_int_equal(view->next_seq, 6);
    assert_int_equal(room_flush(made->room, START_NS + 5 * WINDOW_NS), 0);
    room_view_pull(view);
    assert_int_equal(batch_ring_at(&view->ring, 0)->first_seq, 6);
    rig_part(view);
}

static void rooms_are_limited_and_swept_when_nobody_holds_them(void **state)
{
    room_rig *made = *state;
    dp_room *second;
    dp_room *third;
    assert_int_equal(room_acquire(made->table, "second", true, &second), DP_OK);
    assert_int_equal(room_acquire(made->table, "third", true, &third), DP_ERR_BUSY);
    assert_int_equal(room_acquire(made->table, "third", false, &third), DP_ERR_NOT_FOUND);
    room_release(second);
    room_table_sweep(made->table, UINT64_MAX, 1);
    assert_int_equal(room_table_count(made->table), 1);
    assert_int_equal(room_acquire(made->table, "third", true, &third), DP_OK);
    room_release(third);
}

static dp_status admit_into(dp_room *room, uint64_t now_ns)
{
    message in = rig_text("a text of some length, so that eight of them make a kibibyte in all");
    room_admitted admitted;
    return room_admit(room, &in, now_ns, &admitted);
}

static uint64_t tenants_used(room_rig *made)
{
    uint64_t used = 0;
    uint16_t id = dp_tenant_next(made->pool, 0);
    for (; id != 0; id = dp_tenant_next(made->pool, id)) {
        dp_tenant_stats stats;
        assert_int_equal(dp_tenant_stats_read(made->pool, id, &stats), DP_OK);
        for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
            used += stats.used_bytes[tier];
        }
    }
    return used;
}

static void a_room_at_its_quota_forgets_its_oldest_history(void **state)
{
    room_rig *made = *state;
    for (unsigned i = 0; i < 100; i++) { /* each leaves at once, and stays in the history */
        assert_int_equal(admit_into(made->room, START_NS + i * WINDOW_NS), DP_OK);
    }
    assert_true(tenants_used(made) <= DP_TIER_COUNT * 1024);
    dp_buf *body;
    assert_int_equal(room_history(made->room, 1000, &body), DP_OK);
    assert_non_null(strstr((char *)dp_buf_data(body), "\"seq\":100"));
    assert_null(strstr((char *)dp_buf_data(body), "\"seq\":50,"));
    dp_put(body);
}

static void a_room_that_waits_with_all_its_quota_is_refused_and_no_other(void **state)
{
    room_rig *made = *state;
    dp_room *other;
    assert_int_equal(room_acquire(made->table, "other", true, &other), DP_OK);
    dp_status status = DP_OK;
    for (unsigned i = 0; i < 1000 && status == DP_OK; i++) {
        status = admit_into(made->room, START_NS + (i == 0 ? 0 : 1)); /* the first leaves at once */
    }
    assert_int_equal(status, DP_ERR_QUOTA);
    assert_int_equal(admit_into(other, START_NS), DP_OK);
    assert_int_equal(room_flush(made->room, START_NS + WINDOW_NS), 0);
    assert_int_equal(admit_into(made->room, START_NS + 2 * WINDOW_NS), DP_OK);
    room_release(other);
    room_table_sweep(made->table, UINT64_MAX, 1); /* with the room goes the tenant */
    assert_int_equal(dp_tenant_next(made->pool, dp_tenant_next(made->pool, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_quiet_room_sends_the_first_message_at_once, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_busy_room_gathers_one_window_and_promises_one_flush,
                                        set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_loop_that_writes_for_long_gets_time_to_read, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_window_ends_earlier_by_what_the_writing_takes, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_room_with_little_to_write_waits_little, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(one_message_a_batch_is_one_batch_a_message, set_up_single,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_view_that_slept_past_the_ring_sees_the_gap_in_the_numbers,
                                        set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(the_first_view_shares_the_frame_and_the_next_gets_a_copy,
                                        set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(history_keeps_the_newest_and_a_joiner_never_sees_one_twice,
                                        set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_room_at_its_quota_forgets_its_oldest_history,
                                        set_up_tenants, rig_tear_down),
        cmocka_unit_test_setup_teardown(
            a_room_that_waits_with_all_its_quota_is_refused_and_no_other, set_up_tenants,
            rig_tear_down),
        cmocka_unit_test_setup_teardown(rooms_are_limited_and_swept_when_nobody_holds_them, set_up,
                                        rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
