/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a room remembers: resuming after a reconnect with an honest answer, recalls, and the ring of
 * history against a plain list of what was admitted.
 */
#include "room_rig.h"

#include <stdio.h>

#include "server/ops/metrics.h"

static int set_up(void **state)
{
    room_config config = rig_config();
    config.history_max = 5;
    config.ring_batches = 64;
    return rig_set_up(state, config);
}

/* Messages `from` to `to`, each in a window of its own: all are flushed. */
static void say(room_rig *rig, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "m%u", i);
        assert_int_equal(rig_admit(rig, text, START_NS + (uint64_t)i * 2 * WINDOW_NS).seq, i);
    }
}

static room_resumed resume(room_view *view, const char *epoch, uint64_t seq, size_t limit)
{
    const room_seen seen = {.epoch = epoch, .seq = seq};
    room_resumed resumed;
    assert_int_equal(room_view_resume(view, &seen, limit, &resumed), DP_OK);
    assert_non_null(resumed.frame);
    assert_int_equal(rig_holds(resumed.frame, "\"recovered\":true"), resumed.recovered);
    return resumed;
}

/* Whether exactly the messages from..to are in the answer. */
static void check_resume(room_view *view, uint64_t seq, bool recovered, unsigned from, unsigned to)
{
    room_resumed resumed = resume(view, room_epoch(view->room), seq, 100);
    assert_int_equal(resumed.recovered, recovered);
    for (unsigned i = 1; i < 20; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "\"text\":\"m%u\"", i);
        assert_int_equal(rig_holds(resumed.frame, text), i >= from && i <= to);
    }
    dp_put(resumed.frame);
}

static void a_viewer_that_comes_again_gets_what_it_missed(void **state)
{
    room_rig *rig = *state;
    room_view *view = rig_join(rig, 0, FORMAT_JSON);
    say(rig, 1, 4);
    check_resume(view, 0, true, 1, 4);
    check_resume(view, 2, true, 3, 4);
    check_resume(view, 4, true, 1, 0);
    say(rig, 5, 8); /* 4 to 8 are kept */
    check_resume(view, 3, true, 4, 8);
    check_resume(view, 2, false, 4, 8);
    check_resume(view, 0, false, 4, 8);
    check_resume(view, 9, false, 1, 0); /* what never was cannot have been seen */
    rig_part(view);
}

static void another_epoch_or_a_small_limit_is_no_recovery(void **state)
{
    room_rig *rig = *state;
    room_view *view = rig_join(rig, 0, FORMAT_JSON);
    say(rig, 1, 4);
    room_resumed resumed = resume(view, "another", 2, 100);
    assert_false(resumed.recovered);
    assert_true(rig_holds(resumed.frame, "\"text\":\"m1\""));
    dp_put(resumed.frame);
    resumed = resume(view, room_epoch(rig->room), 1, 2);
    assert_false(resumed.recovered);
    assert_false(rig_holds(resumed.frame, "\"text\":\"m2\""));
    assert_true(rig_holds(resumed.frame, "\"text\":\"m4\""));
    dp_put(resumed.frame);
    rig_part(view);
}

static void the_open_window_comes_live_and_not_in_the_answer(void **state)
{
    room_rig *rig = *state;
    room_view *view = rig_join(rig, 0, FORMAT_JSON);
    say(rig, 1, 2);
    (void)rig_admit(rig, "m3", START_NS + 4 * WINDOW_NS + 1);
    check_resume(view, 1, true, 2, 2);
    assert_int_equal(view->next_seq, 3);
    room_flush_now(rig->room, START_NS + 9 * (uint64_t)WINDOW_NS);
    room_view_pull(view);
    assert_int_equal(batch_ring_at(&view->ring, view->ring.head - 1)->first_seq, 3);
    rig_part(view);
}

static room_admitted recall(room_rig *rig, uint64_t target, uint64_t now_ns)
{
    const message in = {.kind = MESSAGE_RECALL, .lane = MESSAGE_LANE_CONTROL, .target_seq = target};
    room_admitted admitted;
    assert_int_equal(room_admit(rig->room, &in, now_ns, &admitted), DP_OK);
    return admitted;
}

static void a_recalled_message_leaves_the_history_and_viewers_are_told(void **state)
{
    room_rig *rig = *state;
    room_view *view = rig_join(rig, 0, FORMAT_JSON);
    say(rig, 1, 3);
    (void)recall(rig, 2, START_NS + 9 * (uint64_t)WINDOW_NS);
    room_view_pull(view);
    assert_true(rig_holds(batch_ring_at(&view->ring, view->ring.head - 1)->frame,
                          "{\"seq\":4,\"ts\":0,\"kind\":\"recall\",\"target\":2}"));
    room_resumed resumed = resume(view, room_epoch(rig->room), 0, 100);
    assert_true(resumed.recovered);
    assert_true(rig_holds(resumed.frame, "m1"));
    assert_false(rig_holds(resumed.frame, "m2"));
    assert_true(rig_holds(resumed.frame, "m3"));
    dp_put(resumed.frame);
    rig_part(view);
}

static void a_message_that_is_recalled_in_time_is_never_shown(void **state)
{
    room_rig *rig = *state;
    room_view *view = rig_join(rig, 0, FORMAT_JSON);
    int64_t before = metrics_read(METRIC_RECALLED);
    say(rig, 1, 1);
    uint64_t now_ns = START_NS + 2 * WINDOW_NS;
    (void)rig_admit(rig, "secret", now_ns + 1);
    (void)rig_admit(rig, "other", now_ns + 2);
    (void)recall(rig, 2, now_ns + 3);
    room_flush_now(rig->room, now_ns + 4);
    room_view_pull(view);
    const room_batch *batch = batch_ring_at(&view->ring, view->ring.head - 1);
    assert_false(rig_holds(batch->frame, "secret"));
    assert_true(rig_holds(batch->frame, "other"));
    assert_int_equal(batch->first_seq, 2);
    assert_int_equal(batch->next_seq, 5);
    assert_int_equal(batch->count, 2);
    assert_int_equal(metrics_read(METRIC_RECALLED) - before, 1);
    rig_part(view);
}

static void a_number_that_never_was_cannot_be_recalled(void **state)
{
    room_rig *rig = *state;
    message in = {.kind = MESSAGE_RECALL, .target_seq = 2};
    room_admitted admitted;
    say(rig, 1, 1);
    assert_int_equal(room_admit(rig->room, &in, START_NS, &admitted), DP_ERR_NOT_FOUND);
    in.target_seq = 0;
    assert_int_equal(room_admit(rig->room, &in, START_NS, &admitted), DP_ERR_NOT_FOUND);
}

/* Random messages and recalls beside a list of what should be there. */
static void history_is_what_a_plain_list_would_be(void **state)
{
    room_rig *rig = *state;
    uint64_t kept[2000];
    size_t count = 0;
    uint64_t random = 88172645463325252u;
    uint64_t last = 0;
    for (unsigned i = 0; i < 1000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t now_ns = START_NS + (uint64_t)i * WINDOW_NS / 3;
        uint64_t target =
            last > 0 && random % 3 == 0 ? last - random / 3 % (last > 8 ? 8 : last) : 0;
        if (target == 0) {
            last = rig_admit(rig, "x", now_ns).seq;
        } else {
            last = recall(rig, target, now_ns).seq;
            for (size_t at = 0; at < count; at++) {
                if (kept[at] == target) {
                    memmove(kept + at, kept + at + 1, (count - at - 1) * sizeof *kept);
                    count--;
                    /* The recall came first, and pushed the oldest out of a full list. */
                    break;
                }
            }
        }
        kept[count++] = last;
        room_past past;
        assert_int_equal(room_past_take(rig->room, 100, &past), DP_OK);
        assert_true(past.batch.count <= 5);
        /* The newest of the list, in its order; recalls can only have made it shorter. */
        for (size_t n = 0; n < past.batch.count; n++) {
            assert_int_equal(past.messages[past.batch.count - 1 - n].seq, kept[count - 1 - n]);
        }
        room_past_put(&past);
    }
    room_flush_now(rig->room, UINT64_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_viewer_that_comes_again_gets_what_it_missed, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(another_epoch_or_a_small_limit_is_no_recovery, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(the_open_window_comes_live_and_not_in_the_answer, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_recalled_message_leaves_the_history_and_viewers_are_told,
                                        set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_message_that_is_recalled_in_time_is_never_shown, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_number_that_never_was_cannot_be_recalled, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(history_is_what_a_plain_list_would_be, set_up,
                                        rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
