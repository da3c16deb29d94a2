/* SPDX-License-Identifier: Apache-2.0 */
/* The gate before a room: buckets, order of refusals, what a message is signed with. */
#include "cm.h"

#include <string.h>

#include "pool/os.h"
#include "server/gate/gate.h"
#include "server/server.h"

#define MS 1000000u

static void ignore(void *loop, room_view *view)
{
    (void)loop;
    (void)view;
}

static dp_server server;
static server_loop loop;
static dp_room *room;

static int set_up(void **state)
{
    (void)state;
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    memset(&server, 0, sizeof server);
    memset(&loop, 0, sizeof loop);
    config_defaults(&server.config);
    assert_int_equal(dp_pool_create(&pool_config, &server.pool), DP_OK);
    const room_config rooms = {.pool = server.pool,
                               .ring_batches = 4,
                               .ring_bytes_max = 1 << 20,
                               .history_max = 10,
                               .rooms_max = 4,
                               .notify = ignore};
    assert_int_equal(room_table_create(&rooms, &server.rooms), DP_OK);
    assert_int_equal(room_acquire(server.rooms, "lobby", true, &room), DP_OK);
    loop.server = &server;
    char error[256];
    assert_int_equal(gate_open(&server.config, &server.gate, error, sizeof error), DP_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gate_close(server.gate);
    room_release(room);
    room_table_destroy(server.rooms);
    dp_pool_destroy(server.pool);
    return 0;
}

static message text(void)
{
    return (message){.kind = MESSAGE_TEXT, .text = {.bytes = "hello", .size_bytes = 5}};
}

/* The newest message of the room, as it is held. */
static void read_newest(message *out, room_past *past)
{
    assert_int_equal(room_past_take(room, 1, past), DP_OK);
    assert_int_equal(past->batch.count, 1);
    message_view(past->messages[0].packed, out);
}

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    (void)state;
    admit_bucket bucket;
    uint64_t now_ns = 5000 * (uint64_t)MS;
    admit_bucket_fill(&bucket, 3, now_ns);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(admit_bucket_take(&bucket, 10, 3, now_ns), 0);
    }
    uint32_t wait_ms = admit_bucket_take(&bucket, 10, 3, now_ns);
    assert_in_range(wait_ms, 100, 101);
    assert_int_not_equal(admit_bucket_take(&bucket, 10, 3, now_ns + 99 * MS), 0);
    assert_int_equal(admit_bucket_take(&bucket, 10, 3, now_ns + wait_ms * MS), 0);
    /* Over a minute, asked every 7 ms: the rate, whatever the rounding. */
    unsigned given = 0;
    for (unsigned at_ms = 1000; at_ms < 61000; at_ms += 7) {
        given += admit_bucket_take(&bucket, 10, 3, now_ns + (uint64_t)at_ms * MS) == 0 ? 1 : 0;
    }
    assert_in_range(given, 599, 603);
    assert_int_equal(admit_bucket_take(&bucket, 0, 3, now_ns), 0);
}

static void a_sender_over_his_rate_is_told_when_to_come_again(void **state)
{
    (void)state;
    admit_bucket bucket;
    admit_bucket_fill(&bucket, 1, os_clock_ns());
    server.config.limits_messages_per_s = 1;
    const admit_sender sender = {.bucket = &bucket};
    message in = text();
    admit_result result;
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_OK);
    assert_int_equal(result.seq, 1);
    assert_int_equal(result.fate, ROOM_SHOWN);
    in = text();
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_RATE_LIMITED);
    assert_int_equal(result.seq, 0);
    assert_in_range(result.retry_ms, 1, 1001);
    assert_non_null(strstr(result.text.text, "more than 1 messages a second"));
    /* A token may bring its own rate. */
    identity who = {.roles = IDENTITY_PUBLISHER, .messages_per_s = 1000000};
    const admit_sender fast = {.bucket = &bucket, .who = &who};
    bucket.filled_ns -= MS;
    assert_int_equal(admit_message(&loop, room, &fast, &in, &result), PROTOCOL_OK);
}

static void who_may_only_watch_or_whose_token_is_over_does_not_send(void **state)
{
    (void)state;
    identity who = {.roles = IDENTITY_VIEWER};
    const admit_sender sender = {.who = &who};
    message in = text();
    admit_result result;
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_FORBIDDEN);
    who.roles = IDENTITY_PUBLISHER;
    who.expires_s = 1000;
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_FORBIDDEN);
    assert_non_null(strstr(result.text.text, "expired"));
    who.expires_s = INT64_MAX;
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_OK);
}

static void nothing_enters_a_server_that_stops_or_a_room_of_others(void **state)
{
    (void)state;
    identity who = {.rooms = "vip*"};
    const admit_sender sender = {.who = &who};
    message in = text();
    admit_result result;
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_FORBIDDEN);
    atomic_store(&server.draining, true);
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_SHUTTING_DOWN);
    assert_int_equal(result.seq, 0);
}

static void a_message_is_signed_with_who_sent_it(void **state)
{
    (void)state;
    identity who = {.roles = IDENTITY_MODERATOR, .sub = "u1", .name = "Ann"};
    const admit_sender sender = {.who = &who};
    message in = text();
    admit_result result;
    room_past past;
    message kept;
    assert_int_equal(admit_message(&loop, room, &sender, &in, &result), PROTOCOL_OK);
    read_newest(&kept, &past);
    assert_int_equal(kept.lane, MESSAGE_LANE_MODERATOR);
    assert_int_equal(kept.sender_key, identity_key(&who));
    assert_memory_equal(kept.user_id.bytes, "u1", 2);
    assert_memory_equal(kept.name.bytes, "Ann", 3);
    assert_int_not_equal(kept.ts_ms, 0);
    room_past_put(&past);

    const admit_sender nobody = {.who = NULL};
    in = text();
    in.ts_ms = 5;
    assert_int_equal(admit_message(&loop, room, &nobody, &in, &result), PROTOCOL_OK);
    read_newest(&kept, &past);
    assert_int_equal(kept.lane, MESSAGE_LANE_NORMAL);
    assert_int_equal(kept.sender_key, 0);
    assert_null(kept.user_id.bytes);
    assert_int_equal(kept.ts_ms, 5);
    room_past_put(&past);
}

static room_settings settings_of_room(void)
{
    const admit_sender nobody = {.who = NULL};
    message in = {.kind = MESSAGE_MEDIA}; /* of which none is merged into another */
    admit_result result;
    room_settings settings;
    assert_int_equal(admit_message(&loop, room, &nobody, &in, &result), PROTOCOL_OK);
    room_get(room, &settings);
    return settings;
}

static void what_moderators_set_holds_from_the_next_message_on(void **state)
{
    (void)state;
    moderation_order order = {
        .action = MODERATION_BUDGET_ROOM, .room = "lobby", .target = "", .by = "m", .value = 7000};
    assert_int_equal(settings_of_room().display_per_s, 0);
    assert_int_equal(moderation_apply(server.gate->moderation, &order, 1), DP_OK);
    order.action = MODERATION_MERGE_ROOM;
    order.value = 1;
    assert_int_equal(moderation_apply(server.gate->moderation, &order, 1), DP_OK);
    assert_int_equal(settings_of_room().display_per_s, 7000);
    assert_int_equal(settings_of_room().merge, ROOM_MERGE_ALWAYS);
    order.value = MODERATION_UNSET;
    assert_int_equal(moderation_apply(server.gate->moderation, &order, 1), DP_OK);
    assert_int_equal(settings_of_room().merge, ROOM_MERGE_WHEN_FULL);
    assert_int_equal(settings_of_room().display_per_s, 7000);
}

static void a_recall_names_a_number_that_there_is(void **state)
{
    (void)state;
    const admit_sender nobody = {.who = NULL};
    admit_result result;
    message in = {.kind = MESSAGE_RECALL, .target_seq = 1};
    assert_int_equal(admit_message(&loop, room, &nobody, &in, &result), PROTOCOL_NOT_FOUND);
    in = text();
    assert_int_equal(admit_message(&loop, room, &nobody, &in, &result), PROTOCOL_OK);
    in = (message){.kind = MESSAGE_RECALL, .target_seq = 1};
    assert_int_equal(admit_message(&loop, room, &nobody, &in, &result), PROTOCOL_OK);
    room_past past;
    message kept;
    read_newest(&kept, &past);
    assert_int_equal(kept.kind, MESSAGE_RECALL);
    assert_int_equal(kept.lane, MESSAGE_LANE_CONTROL);
    room_past_put(&past);
    assert_int_equal(room_past_take(room, 10, &past), DP_OK);
    assert_int_equal(past.batch.count, 1);
    room_past_put(&past);
}

static void a_finished_upload_names_its_picture(void **state)
{
    (void)state;
    media_upload upload = {.room = room, .mode = PROTOCOL_MODE_TOP};
    upload.result.meta = (media_meta){.width = 160, .height = 90, .frames = 2};
    memset(upload.result.id, 'f', MEDIA_ID_BYTES);
    (void)strcpy(upload.result.meta.engine, "cpu");
    const admit_sender nobody = {.who = NULL};
    admit_result result;
    room_past past;
    message kept;
    assert_int_equal(admit_media(&loop, &upload, &nobody, &result), PROTOCOL_OK);
    read_newest(&kept, &past);
    assert_int_equal(kept.kind, MESSAGE_MEDIA);
    assert_int_equal(kept.mode, PROTOCOL_MODE_TOP);
    assert_int_equal(kept.media.id.size_bytes, MEDIA_ID_BYTES);
    assert_memory_equal(kept.media.engine.bytes, "cpu", 3);
    assert_int_equal(kept.media.frames, 2);
    room_past_put(&past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test_setup_teardown(a_sender_over_his_rate_is_told_when_to_come_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_may_only_watch_or_whose_token_is_over_does_not_send,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_enters_a_server_that_stops_or_a_room_of_others,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_is_signed_with_who_sent_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_moderators_set_holds_from_the_next_message_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_recall_names_a_number_that_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_finished_upload_names_its_picture, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
