/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rooms and batches: numbering, windows, rings, history, views; time is passed in.
 */
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include <danpool/pool.h>
#include <danpool/stats.h>
#include <danpool/tenant.h>

#include "server/room/room.h"

#define WINDOW_NS 20000000u
#define START_NS  1000000000u

typedef struct fixture {
    dp_pool *pool;
    room_table *table;
    dp_room *room;
    unsigned notified;
} fixture;

static void count_notify(void *loop, room_view *view)
{
    (void)view;
    ((fixture *)loop)->notified++;
}

static int set_up_quota(void **state, size_t batch_messages_max, size_t history_max,
                        size_t quota_bytes_max)
{
    fixture *made = calloc(1, sizeof *made);
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    assert_int_equal(dp_pool_create(&pool_config, &made->pool), DP_OK);
    room_config config = {.pool = made->pool,
                          .ring_batches = 4,
                          .ring_bytes_max = 1u << 20,
                          .batch_messages_max = batch_messages_max,
                          .history_max = history_max,
                          .rooms_max = 2,
                          .window_ns = WINDOW_NS,
                          .notify = count_notify,
                          .quota_bytes_max = quota_bytes_max};
    assert_int_equal(room_table_create(&config, &made->table), DP_OK);
    assert_int_equal(room_acquire(made->table, "lobby", true, &made->room), DP_OK);
    *state = made;
    return 0;
}

static int set_up_with(void **state, size_t batch_messages_max, size_t history_max)
{
    return set_up_quota(state, batch_messages_max, history_max, 0);
}

/* Eight messages of 128 bytes in each of the tiers that there are. */
static int set_up_tenants(void **state)
{
    return set_up_quota(state, 0, 1000, 1024);
}

static int set_up(void **state)
{
    return set_up_with(state, 0, 3);
}

static int set_up_single(void **state)
{
    return set_up_with(state, 1, 0);
}

static int tear_down(void **state)
{
    fixture *made = *state;
    room_release(made->room);
    room_table_destroy(made->table);
    dp_stats stats;
    dp_stats_read(made->pool, &stats);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        assert_int_equal(stats.tiers[id].used_bytes, 0);
    }
    dp_pool_destroy(made->pool);
    free(made);
    return 0;
}

static room_admitted admit(fixture *made, const char *text, uint64_t now_ns)
{
    dp_request request = {.size_bytes = 128, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    dp_buf *tail;
    assert_int_equal(dp_get(made->pool, &request, &tail), DP_OK);
    strcpy(dp_buf_data(tail), text);
    dp_buf_set_size(tail, strlen(text));
    room_admitted admitted;
    assert_int_equal(room_admit(made->room, tail, now_ns, &admitted), DP_OK);
    dp_put(tail);
    return admitted;
}

static room_view *join(fixture *made)
{
    room_view *view;
    assert_int_equal(room_view_create(made->room, made, 0, &view), DP_OK);
    return view;
}

static void part(room_view *view)
{
    room_view_leave(view);
    room_view_destroy(view);
}

static void assert_frame(const dp_buf *frame, const char *text)
{
    assert_int_equal(dp_buf_size(frame) - BATCH_HEADROOM, strlen(text));
    assert_memory_equal((const char *)dp_buf_data(frame) + BATCH_HEADROOM, text, strlen(text));
}

static void a_quiet_room_sends_the_first_message_at_once(void **state)
{
    fixture *made = *state;
    room_view *view = join(made);
    room_admitted admitted = admit(made, "\"text\":\"a\"}", START_NS);
    assert_int_equal(admitted.seq, 1);
    assert_false(admitted.flush_later);
    assert_int_equal(made->notified, 1);
    room_view_pull(view);
    assert_int_equal(view->ring.head, 1);
    assert_frame(batch_ring_at(&view->ring, 0)->frame,
                 "{\"op\":\"batch\",\"seq\":1,\"missed\":0,\"msgs\":[{\"seq\":1,\"text\":\"a\"}]}");
    part(view);
}

static void a_busy_room_gathers_one_window_and_promises_one_flush(void **state)
{
    fixture *made = *state;
    room_view *view = join(made);
    (void)admit(made, "\"a\":1}", START_NS);
    room_admitted second = admit(made, "\"b\":1}", START_NS + 1);
    room_admitted third = admit(made, "\"c\":1}", START_NS + 2);
    assert_true(second.flush_later);
    assert_int_equal(second.flush_at_ns, START_NS + WINDOW_NS);
    assert_false(third.flush_later);
    assert_int_equal(made->notified, 1);
    assert_int_not_equal(room_flush(made->room, second.flush_at_ns - 1), 0);
    assert_int_equal(room_flush(made->room, second.flush_at_ns), 0);
    room_view_pull(view);
    assert_int_equal(view->ring.head, 2);
    assert_frame(batch_ring_at(&view->ring, 1)->frame,
                 "{\"op\":\"batch\",\"seq\":2,\"missed\":0,\"msgs\":[{\"seq\":2,\"b\":1},"
                 "{\"seq\":3,\"c\":1}]}");
    assert_int_equal(view->next_seq, 4);
    part(view);
}

static void a_loop_that_writes_for_long_gets_time_to_read(void **state)
{
    fixture *made = *state;
    (void)admit(made, "\"a\":1}", START_NS);
    uint64_t written_ns = START_NS + 3 * WINDOW_NS;
    room_written(made->room, written_ns);
    room_admitted second = admit(made, "\"b\":1}", written_ns + 1);
    assert_true(second.flush_later);
    assert_int_equal(second.flush_at_ns, written_ns + WINDOW_NS / 4);
    assert_int_equal(made->notified, 0);
    room_flush_now(made->room, written_ns + 2);
}

static void one_message_a_batch_is_one_batch_a_message(void **state)
{
    fixture *made = *state;
    room_view *view = join(made);
    for (unsigned i = 0; i < 3; i++) {
        (void)admit(made, "\"a\":1}", START_NS + i * WINDOW_NS);
    }
    room_view_pull(view);
    assert_int_equal(view->ring.head, 3);
    assert_int_equal(batch_ring_at(&view->ring, 2)->count, 1);
    part(view);
}

static void a_view_that_slept_past_the_ring_sees_the_gap_in_the_numbers(void **state)
{
    fixture *made = *state;
    room_view *view = join(made);
    for (unsigned i = 0; i < 10; i++) {
        (void)admit(made, "\"a\":1}", START_NS + i * WINDOW_NS);
    }
    room_view_pull(view);
    assert_int_equal(view->ring.head - view->ring.tail, 4);
    assert_int_equal(batch_ring_at(&view->ring, view->ring.tail)->first_seq, 7);
    part(view);
}

static void the_first_view_shares_the_frame_and_the_next_gets_a_copy(void **state)
{
    fixture *made = *state;
    room_view *first = join(made);
    room_view *second;
    assert_int_equal(room_view_create(made->room, made, 1, &second), DP_OK);
    (void)admit(made, "\"a\":1}", START_NS);
    room_view_pull(first);
    room_view_pull(second);
    const dp_buf *one = batch_ring_at(&first->ring, 0)->frame;
    const dp_buf *two = batch_ring_at(&second->ring, 0)->frame;
    assert_ptr_not_equal(one, two);
    assert_int_equal(dp_buf_size(one), dp_buf_size(two));
    assert_memory_equal((const char *)dp_buf_data(one) + BATCH_HEADROOM,
                        (const char *)dp_buf_data(two) + BATCH_HEADROOM,
                        dp_buf_size(one) - BATCH_HEADROOM);
    part(first);
    part(second);
}

static void history_keeps_the_newest_and_a_joiner_never_sees_one_twice(void **state)
{
    fixture *made = *state;
    for (unsigned i = 0; i < 5; i++) {
        (void)admit(made, "\"a\":1}", START_NS + i * WINDOW_NS);
    }
    (void)admit(made, "\"w\":1}", START_NS + 4 * WINDOW_NS + 1); /* stays in the window */
    dp_buf *body;
    assert_int_equal(room_history(made->room, 200, &body), DP_OK);
    assert_non_null(strstr((char *)dp_buf_data(body), "\"seq\":6"));
    dp_put(body);
    room_view *view = join(made);
    dp_buf *history = NULL;
    assert_int_equal(room_view_history(view, 200, &history), DP_OK);
    assert_frame(history,
                 "{\"op\":\"batch\",\"seq\":4,\"missed\":0,\"history\":true,\"msgs\":[{\"seq\":4,"
                 "\"a\":1},{\"seq\":5,\"a\":1}]}");
    dp_put(history);
    assert_int_equal(view->next_seq, 6);
    assert_int_equal(room_flush(made->room, START_NS + 5 * WINDOW_NS), 0);
    room_view_pull(view);
    assert_int_equal(batch_ring_at(&view->ring, 0)->first_seq, 6);
    part(view);
}

static void rooms_are_limited_and_swept_when_nobody_holds_them(void **state)
{
    fixture *made = *state;
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

/* As admit(), in a buffer that is the room's. */
static dp_status admit_own(dp_room *room, uint64_t now_ns)
{
    dp_buf *tail = NULL;
    dp_status status = room_message_get(room, 128, &tail);
    if (status == DP_OK) {
        strcpy(dp_buf_data(tail), "\"a\":1}");
        dp_buf_set_size(tail, strlen(dp_buf_data(tail)));
        room_admitted admitted;
        status = room_admit(room, tail, now_ns, &admitted);
        dp_put(tail);
    }
    return status;
}

static uint64_t tenants_used(fixture *made)
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
    fixture *made = *state;
    for (unsigned i = 0; i < 100; i++) { /* each leaves at once, and stays in the history */
        assert_int_equal(admit_own(made->room, START_NS + i * WINDOW_NS), DP_OK);
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
    fixture *made = *state;
    dp_room *other;
    assert_int_equal(room_acquire(made->table, "other", true, &other), DP_OK);
    dp_status status = DP_OK;
    for (unsigned i = 0; i < 1000 && status == DP_OK; i++) {
        status = admit_own(made->room, START_NS + (i == 0 ? 0 : 1)); /* the first leaves at once */
    }
    assert_int_equal(status, DP_ERR_QUOTA);
    assert_int_equal(admit_own(other, START_NS), DP_OK);
    assert_int_equal(room_flush(made->room, START_NS + WINDOW_NS), 0);
    assert_int_equal(admit_own(made->room, START_NS + 2 * WINDOW_NS), DP_OK);
    room_release(other);
    room_table_sweep(made->table, UINT64_MAX, 1); /* with the room goes the tenant */
    assert_int_equal(dp_tenant_next(made->pool, dp_tenant_next(made->pool, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_quiet_room_sends_the_first_message_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_busy_room_gathers_one_window_and_promises_one_flush,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_loop_that_writes_for_long_gets_time_to_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_message_a_batch_is_one_batch_a_message, set_up_single,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_view_that_slept_past_the_ring_sees_the_gap_in_the_numbers,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_view_shares_the_frame_and_the_next_gets_a_copy,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(history_keeps_the_newest_and_a_joiner_never_sees_one_twice,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_room_at_its_quota_forgets_its_oldest_history,
                                        set_up_tenants, tear_down),
        cmocka_unit_test_setup_teardown(
            a_room_that_waits_with_all_its_quota_is_refused_and_no_other, set_up_tenants,
            tear_down),
        cmocka_unit_test_setup_teardown(rooms_are_limited_and_swept_when_nobody_holds_them, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
