/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replay: what a plan keeps of a recording, and that doing it leaves nothing behind.
 */
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include <danpool/stats.h>

#include "replay_plan.h"
#include "replay_record.h"
#include "replay_run.h"

static trace_event events[32];
static size_t event_count;

static int begin(void **state)
{
    (void)state;
    event_count = 0;
    return 0;
}

static void event(dp_trace_event type, uint64_t id, uint32_t thread, uint32_t size_bytes)
{
    events[event_count++] = (trace_event){.type = (uint8_t)type,
                                          .id = id,
                                          .thread = thread,
                                          .size_bytes = size_bytes,
                                          .detail = DP_KIND_TEXT << TRACE_GET_KIND_SHIFT};
}

static replay_plan planned(unsigned lanes_max)
{
    const trace_file file = {.events = events, .event_count = event_count};
    replay_plan plan;
    assert_int_equal(replay_plan_make(&file, lanes_max, &plan), DP_OK);
    return plan;
}

static void each_get_has_a_slot_that_its_put_empties(void **state)
{
    (void)state;
    event(DP_TRACE_GET, 7, 100, 10);
    event(DP_TRACE_GET, 8, 100, 20);
    event(DP_TRACE_PUT, 7, 200, 0);
    event(DP_TRACE_TIER_CALL, 0, 200, 99);
    event(DP_TRACE_GET, 7, 200, 30); /* the same block again: another slot */
    event(DP_TRACE_PUT, 7, 100, 0);
    replay_plan plan = planned(8);
    assert_int_equal(plan.lane_count, 2);
    assert_int_equal(plan.thread_count, 2);
    assert_int_equal(plan.gets, 3);
    assert_int_equal(plan.puts, 2);
    assert_int_equal(plan.left_out, 0);
    const replay_lane *first = &plan.lanes[0];
    const replay_lane *second = &plan.lanes[1];
    assert_int_equal(first->count, 3);
    assert_int_equal(second->count, 2);
    assert_true(!first->ops[0].is_put && !first->ops[1].is_put && first->ops[2].is_put);
    assert_int_equal(first->ops[1].size_bytes, 20);
    assert_int_equal(first->ops[0].kind, DP_KIND_TEXT);
    assert_true(second->ops[0].is_put && second->ops[0].slot == first->ops[0].slot);
    assert_true(second->ops[1].slot == first->ops[2].slot);
    assert_true(second->ops[1].slot != first->ops[0].slot);
    replay_plan_clear(&plan);
}

static void what_lost_its_other_half_is_left_out_or_left_held(void **state)
{
    (void)state;
    event(DP_TRACE_PUT, 1, 100, 0); /* got before the recording */
    event(DP_TRACE_GET, 2, 100, 10);
    event(DP_TRACE_GET, 2, 100, 10); /* the put between them is lost */
    event(DP_TRACE_PUT, 2, 100, 0);
    event(DP_TRACE_PUT, 2, 100, 0); /* the get between them is lost */
    replay_plan plan = planned(2);
    assert_int_equal(plan.gets, 2);
    assert_int_equal(plan.puts, 1);
    assert_int_equal(plan.left_out, 2);
    assert_int_equal(plan.lanes[0].count, 3);
    replay_plan_clear(&plan);
}

static void more_threads_than_lanes_share_them_in_the_order_of_time(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        event(DP_TRACE_GET, 10 + i, 100 + i, 1 + i);
    replay_plan plan = planned(2);
    assert_int_equal(plan.thread_count, 6);
    assert_int_equal(plan.lane_count, 2);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(plan.lanes[i % 2].ops[i / 2].size_bytes, 1 + i);
    replay_plan_clear(&plan);
}

static void a_recording_without_a_get_is_no_work(void **state)
{
    (void)state;
    replay_plan plan;
    event(DP_TRACE_PUT, 1, 100, 0);
    trace_file file = {.events = events, .event_count = event_count};
    assert_int_equal(replay_plan_make(&file, 1, &plan), DP_ERR_INVALID);
    file.event_count = 0;
    assert_int_equal(replay_plan_make(&file, 1, &plan), DP_ERR_INVALID);
}

/* The chat room's recording, as a plan for two lanes. */
static replay_plan chat_room(unsigned messages)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&bytes, &size);
    assert_non_null(to);
    assert_int_equal(replay_record(messages, to), DP_OK);
    assert_int_equal(fclose(to), 0);
    trace_file file;
    replay_plan plan;
    assert_int_equal(trace_file_parse(bytes, size, &file), DP_OK);
    assert_int_equal(file.dropped, 0);
    assert_int_equal(replay_plan_make(&file, 2, &plan), DP_OK);
    trace_file_clear(&file);
    free(bytes);
    return plan;
}

static void the_chat_room_puts_all_that_it_gets(void **state)
{
    (void)state;
    replay_plan plan = chat_room(1000);
    assert_int_equal(plan.thread_count, 2);
    /* Frames, texts, batches, and three buffers a sticker. */
    assert_int_equal(plan.gets, 1000 + 1000 + 1000 / 20 + 3 * (1000 / 200));
    assert_int_equal(plan.puts, plan.gets);
    assert_int_equal(plan.left_out, 0);
    replay_plan_clear(&plan);
}

static void a_replay_does_every_get_and_leaves_nothing(void **state)
{
    (void)state;
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    dp_pool *pool = NULL;
    replay_plan plan = chat_room(500);
    bench_setup();
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    for (unsigned row = 0; row < REPLAY_ROW_COUNT; row++) {
        work_result result;
        replay_run(&plan, (replay_row)row, pool, true, &result);
        assert_true(result.ok && result.value > 0);
        replay_run(&plan, (replay_row)row, NULL, true, &result);
        assert_true(result.ok && result.value > 0);
    }
    dp_stats stats;
    dp_stats_read(pool, &stats);
    const dp_tier_stats *host = &stats.tiers[DP_TIER_HOST];
    assert_int_equal(host->fresh + host->reused, 2 * 2 * plan.gets); /* one to warm up, one timed */
    assert_int_equal(host->used_bytes, 0);
    dp_pool_destroy(pool);
    replay_plan_clear(&plan);
}

static void what_the_recording_left_held_is_put_after_each_pass(void **state)
{
    (void)state;
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    dp_pool *pool = NULL;
    work_result result;
    event(DP_TRACE_GET, 1, 100, 10);
    event(DP_TRACE_GET, 2, 200, 20);
    event(DP_TRACE_PUT, 1, 200, 0);
    replay_plan plan = planned(2);
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    replay_run(&plan, REPLAY_THROUGHPUT, pool, true, &result);
    assert_true(result.ok);
    dp_pool_destroy(pool); /* asserts that nothing is held */
    replay_plan_clear(&plan);
}

static void a_request_that_fails_is_told_and_hangs_nobody(void **state)
{
    (void)state;
    dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    config.budget_bytes_max[DP_TIER_HOST] = (size_t)4 << 20;
    dp_pool *pool = NULL;
    work_result result;
    event(DP_TRACE_GET, 1, 100, 100u << 20);
    event(DP_TRACE_PUT, 1, 200, 0); /* another lane would wait for it */
    replay_plan plan = planned(2);
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    replay_run(&plan, REPLAY_THROUGHPUT, pool, true, &result);
    assert_false(result.ok);
    dp_pool_destroy(pool);
    replay_plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_get_has_a_slot_that_its_put_empties, begin),
        cmocka_unit_test_setup(what_lost_its_other_half_is_left_out_or_left_held, begin),
        cmocka_unit_test_setup(more_threads_than_lanes_share_them_in_the_order_of_time, begin),
        cmocka_unit_test_setup(a_recording_without_a_get_is_no_work, begin),
        cmocka_unit_test(the_chat_room_puts_all_that_it_gets),
        cmocka_unit_test(a_replay_does_every_get_and_leaves_nothing),
        cmocka_unit_test_setup(what_the_recording_left_held_is_put_after_each_pass, begin),
        cmocka_unit_test_setup(a_request_that_fails_is_told_and_hangs_nobody, begin),
    };
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
