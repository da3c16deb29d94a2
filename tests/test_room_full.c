/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overfull rooms: what comes in is shown, sampled or merged, and nothing else, whatever is read:
 * fates, metrics, or the numbers that a viewer is told.
 */
#include "room_rig.h"

#include <stdio.h>

#include "server/ops/metrics.h"

#define SECOND_NS 1000000000u
#define DISPLAY_S 100u

typedef struct tally {
    uint64_t admitted, shown, sampled, merged;
} tally;

static tally metrics_tally(void)
{
    return (tally){.admitted = (uint64_t)metrics_read(METRIC_ADMITTED),
                   .shown = (uint64_t)metrics_read(METRIC_SHOWN),
                   .sampled = (uint64_t)metrics_read(METRIC_SAMPLED),
                   .merged = (uint64_t)metrics_read(METRIC_MERGED)};
}

static int set_up_as(void **state, uint32_t display_per_s, room_merge merge)
{
    room_config config = rig_config();
    config.ring_batches = 4096;
    config.history_max = 10;
    config.settings =
        (room_settings){.display_per_s = display_per_s, .merge = merge, .merge_ms = 2000};
    return rig_set_up(state, config);
}

static int set_up(void **state)
{
    return set_up_as(state, DISPLAY_S, ROOM_MERGE_WHEN_FULL);
}

static int set_up_merging(void **state)
{
    return set_up_as(state, 0, ROOM_MERGE_ALWAYS);
}

/* A number behind a name in a frame; 0 when the name is not there. */
static uint64_t number_in(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

/* Reads everything that a view got: the ranges must join, and account for every number. */
static tally read_view(room_view *view, uint64_t *counted)
{
    tally total = {.admitted = 0};
    uint64_t next = 1;
    *counted = 0;
    room_view_pull(view);
    for (uint64_t i = view->ring.tail; i < view->ring.head; i++) {
        const room_batch *batch = batch_ring_at(&view->ring, i);
        size_t bytes = dp_buf_size(batch->frame) - BATCH_HEADROOM;
        char *text = calloc(1, bytes + 1);
        assert_non_null(text);
        memcpy(text, (char *)dp_buf_data(batch->frame) + BATCH_HEADROOM, bytes);
        assert_int_equal(batch->first_seq, next);
        assert_int_equal(number_in(text, "\"seq\":"), next);
        next = batch->next_seq;
        uint64_t sampled = number_in(text, ",\"sampled\":");
        uint64_t merged = number_in(text, ",\"merged\":");
        assert_int_equal(batch->next_seq - batch->first_seq, batch->count + sampled + merged);
        total.admitted += batch->next_seq - batch->first_seq;
        total.shown += batch->count;
        total.sampled += sampled;
        total.merged += merged;
        for (const char *at = strstr(text, "\"count\":"); at != NULL;
             at = strstr(at + 1, "\"count\":")) {
            *counted += number_in(at, "\"count\":") - 1;
        }
        free(text);
    }
    return total;
}

static void count_fate(tally *into, room_fate fate)
{
    into->admitted++;
    into->shown += fate == ROOM_SHOWN ? 1 : 0;
    into->sampled += fate == ROOM_SAMPLED ? 1 : 0;
    into->merged += fate == ROOM_MERGED ? 1 : 0;
}

static void assert_tally(const tally *got, const tally *wanted)
{
    assert_int_equal(wanted->admitted, wanted->shown + wanted->sampled + wanted->merged);
    assert_int_equal(got->admitted, wanted->admitted);
    assert_int_equal(got->shown, wanted->shown);
    assert_int_equal(got->sampled, wanted->sampled);
    assert_int_equal(got->merged, wanted->merged);
}

static void a_flood_adds_up_exactly_and_holds_no_memory(void **state)
{
    room_rig *rig = *state;
    room_view *view = rig_join(rig, 0, FORMAT_JSON);
    tally before = metrics_tally();
    tally fates = {.admitted = 0};
    uint64_t flush_ns = 0;
    uint64_t bytes_max = 0;
    uint64_t now_ns = START_NS;
    /* 100,000 a second for two seconds; every third one of a few texts that repeat. */
    for (unsigned i = 0; i < 200000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, i % 3 == 0 ? "again %u" : "text %u",
                       i % 3 == 0 ? i % 15 : i);
        now_ns = START_NS + (uint64_t)i * 10000u;
        if (flush_ns != 0 && now_ns >= flush_ns) {
            flush_ns = room_flush(rig->room, now_ns);
        }
        room_admitted admitted = rig_admit(rig, text, now_ns);
        assert_int_equal(admitted.seq, i + 1);
        count_fate(&fates, admitted.fate);
        flush_ns = admitted.flush_later ? admitted.flush_at_ns : flush_ns;
        uint64_t bytes = i % 1000 == 0 ? room_table_bytes(rig->table) : 0;
        bytes_max = bytes > bytes_max ? bytes : bytes_max;
    }
    /* Everything is told without anybody's doing but the promised flushes. */
    for (unsigned i = 0; flush_ns != 0; i++) {
        assert_true(i < 100);
        now_ns = flush_ns;
        flush_ns = room_flush(rig->room, flush_ns);
    }
    uint64_t counted;
    tally seen = read_view(view, &counted);
    tally after = metrics_tally();
    tally metrics = {.admitted = after.admitted - before.admitted,
                     .shown = after.shown - before.shown,
                     .sampled = after.sampled - before.sampled,
                     .merged = after.merged - before.merged};
    assert_int_equal(fates.admitted, 200000);
    assert_tally(&seen, &fates);
    assert_tally(&metrics, &fates);
    assert_in_range(fates.shown, 2 * DISPLAY_S, 2 * DISPLAY_S + DISPLAY_S / 2);
    assert_true(fates.merged > 0 && counted <= fates.merged);
    assert_true(bytes_max < 256 * 1024);
    rig_part(view);
}

static void super_chats_and_moderators_come_through_a_flood(void **state)
{
    room_rig *rig = *state;
    unsigned important = 0;
    for (unsigned i = 0; i < 100000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "text %u", i);
        message in = rig_text(text);
        if (i % 2500 == 0) {
            in.kind = MESSAGE_SUPER_CHAT;
            in.lane = MESSAGE_LANE_SUPER;
        } else if (i % 2500 == 1) {
            in.lane = MESSAGE_LANE_MODERATOR;
        }
        room_admitted admitted;
        uint64_t now_ns = START_NS + (uint64_t)i * 10000u;
        assert_int_equal(room_admit(rig->room, &in, now_ns, &admitted), DP_OK);
        if (in.lane != MESSAGE_LANE_NORMAL) {
            assert_int_equal(admitted.fate, ROOM_SHOWN);
            important++;
        }
        (void)room_flush(rig->room, now_ns);
    }
    assert_int_equal(important, 80);
}

static void identical_comments_become_one_with_a_count(void **state)
{
    room_rig *rig = *state;
    room_view *view = rig_join(rig, 0, FORMAT_JSON);
    (void)rig_admit(rig, "first", START_NS);
    assert_int_equal(rig_admit(rig, "666", START_NS + 1).fate, ROOM_SHOWN);
    assert_int_equal(rig_admit(rig, "other", START_NS + 2).fate, ROOM_SHOWN);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(rig_admit(rig, "６６６", START_NS + 3 + i).fate, ROOM_MERGED);
    }
    assert_int_equal(room_flush(rig->room, START_NS + WINDOW_NS), 0);
    room_view_pull(view);
    assert_frame(
        batch_ring_at(&view->ring, 1)->frame,
        "{\"op\":\"batch\",\"seq\":2,\"missed\":0,\"next\":8,\"merged\":4,\"msgs\":["
        "{\"seq\":2,\"ts\":0,\"kind\":\"text\",\"text\":\"666\",\"mode\":\"scroll\",\"color\":"
        "\"#ffffff\",\"size\":25,\"count\":5},{\"seq\":3,\"ts\":0,\"kind\":\"text\",\"text\":"
        "\"other\",\"mode\":\"scroll\",\"color\":\"#ffffff\",\"size\":25}]}");
    /* Out of the window: two are kept for the next that is shown, after the two seconds. */
    uint64_t later_ns = START_NS + SECOND_NS;
    assert_int_equal(rig_admit(rig, "666", later_ns).fate, ROOM_MERGED);
    assert_int_equal(rig_admit(rig, "666", later_ns + 1).fate, ROOM_MERGED);
    assert_int_equal(rig_admit(rig, "666", START_NS + 2 * (uint64_t)SECOND_NS + 2).fate,
                     ROOM_SHOWN);
    uint64_t counted;
    tally seen = read_view(view, &counted);
    assert_int_equal(seen.admitted, 10);
    assert_int_equal(seen.merged, 6);
    assert_int_equal(counted, 6);
    /* The history has the count too. */
    dp_buf *body;
    assert_int_equal(room_history(rig->room, 10, &body), DP_OK);
    assert_true(rig_holds(body, "\"count\":5"));
    assert_true(rig_holds(body, "\"count\":3"));
    dp_put(body);
    rig_part(view);
}

static void merging_can_be_turned_off_for_one_room(void **state)
{
    room_rig *rig = *state;
    room_settings settings;
    room_get(rig->room, &settings);
    settings.merge = ROOM_MERGE_OFF;
    room_set(rig->room, &settings);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(rig_admit(rig, "666", START_NS + i).fate, ROOM_SHOWN);
    }
    dp_room *other;
    assert_int_equal(room_acquire(rig->table, "other", true, &other), DP_OK);
    const message in = rig_text("666");
    room_admitted admitted;
    assert_int_equal(room_admit(other, &in, START_NS, &admitted), DP_OK);
    assert_int_equal(room_admit(other, &in, START_NS, &admitted), DP_OK);
    assert_int_equal(admitted.fate, ROOM_MERGED);
    room_release(other);
}

static void a_quiet_room_with_a_budget_merges_nothing(void **state)
{
    room_rig *rig = *state;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(rig_admit(rig, "hi", START_NS + (uint64_t)i * SECOND_NS).fate, ROOM_SHOWN);
    }
}

static void a_comment_that_is_not_shown_can_be_built_for_its_sender(void **state)
{
    room_rig *rig = *state;
    const message in = rig_text("mine");
    dp_buf *frame = NULL;
    assert_int_equal(room_own(rig->room, FORMAT_JSON, &in, 7, &frame), DP_OK);
    assert_frame(frame,
                 "{\"op\":\"batch\",\"seq\":7,\"missed\":0,\"own\":true,\"msgs\":[{\"seq\":7,"
                 "\"ts\":0,\"kind\":\"text\",\"text\":\"mine\",\"mode\":\"scroll\","
                 "\"color\":\"#ffffff\",\"size\":25}]}");
    dp_put(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flood_adds_up_exactly_and_holds_no_memory, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(super_chats_and_moderators_come_through_a_flood, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(identical_comments_become_one_with_a_count, set_up_merging,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(merging_can_be_turned_off_for_one_room, set_up_merging,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_quiet_room_with_a_budget_merges_nothing, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_comment_that_is_not_shown_can_be_built_for_its_sender,
                                        set_up, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
