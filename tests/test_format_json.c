/* SPDX-License-Identifier: Apache-2.0 */
/* The native JSON: the documented bytes, escapes, sizes that suffice, memory that lacks. */
#include "cm.h"
#include "one_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "pool/os.h"
#include "server/wire/format_json.h"

static message_slice slice(const char *text)
{
    return (message_slice){.bytes = text, .size_bytes = (uint32_t)strlen(text)};
}

/* One message, written where exactly the promised bytes are. */
static void check_message(const message *in, uint32_t count, const char *expected)
{
    void *packed = malloc(message_packed_bytes(in));
    assert_non_null(packed);
    message_pack(in, packed);
    message view;
    message_view(packed, &view);
    const format_message entry = {.seq = 7, .count = count, .packed = packed};
    char *to = malloc(format_json_message_bytes_max(&view));
    assert_non_null(to);
    size_t bytes = (size_t)(format_json_message(&entry, &view, to) - to);
    if (expected != NULL) {
        assert_int_equal(bytes, strlen(expected));
        assert_memory_equal(to, expected, bytes);
    }
    yajl_handle parser = yajl_alloc(NULL, NULL, NULL);
    assert_int_equal(yajl_parse(parser, (const unsigned char *)to, bytes), yajl_status_ok);
    assert_int_equal(yajl_complete_parse(parser), yajl_status_ok);
    yajl_free(parser);
    free(to);
    free(packed);
}

static void a_text_is_as_documented(void **state)
{
    (void)state;
    message in = {.kind = MESSAGE_TEXT,
                  .color = 0xffffff,
                  .size_px = 25,
                  .ts_ms = 1790000000000,
                  .text = slice("a\"\\/b 你")};
    in.ext = slice("{\"n\": 1}");
    check_message(&in, 1,
                  "{\"seq\":7,\"ts\":1790000000000,\"kind\":\"text\",\"text\":\"a\\\"\\\\/b "
                  "你\",\"mode\":\"scroll\",\"color\":\"#ffffff\",\"size\":25,"
                  "\"ext\":{\"n\": 1}}");
    in = (message){.kind = MESSAGE_TEXT,
                   .mode = PROTOCOL_MODE_REVERSE,
                   .color = 0x00000a,
                   .size_px = 25,
                   .text = slice("x")};
    check_message(&in, 1,
                  "{\"seq\":7,\"ts\":0,\"kind\":\"text\",\"text\":\"x\",\"mode\":\"reverse\","
                  "\"color\":\"#00000a\",\"size\":25}");
    in.user_id = slice("u\"1");
    in.name = slice("Ann");
    check_message(&in, 12,
                  "{\"seq\":7,\"ts\":0,\"kind\":\"text\",\"text\":\"x\",\"mode\":\"reverse\","
                  "\"color\":\"#00000a\",\"size\":25,\"user\":{\"id\":\"u\\\"1\",\"name\":\"Ann\"},"
                  "\"count\":12}");
    in.user_id.size_bytes = 0;
    check_message(&in, 1,
                  "{\"seq\":7,\"ts\":0,\"kind\":\"text\",\"text\":\"x\",\"mode\":\"reverse\","
                  "\"color\":\"#00000a\",\"size\":25,\"user\":{\"name\":\"Ann\"}}");
}

static message picture(void)
{
    return (message){.kind = MESSAGE_MEDIA,
                     .ts_ms = 1790000000004,
                     .media = {.id = slice("5f0c"),
                               .content_type = slice("image/webp"),
                               .source = slice("svg"),
                               .engine = slice("librsvg+cpu"),
                               .tier = slice("host"),
                               .width = 160,
                               .height = 90,
                               .frames = 12}};
}

static void the_other_kinds_are_as_documented(void **state)
{
    (void)state;
    message in = picture();
    check_message(&in, 1,
                  "{\"seq\":7,\"ts\":1790000000004,\"kind\":\"media\",\"mode\":\"scroll\","
                  "\"media\":{\"id\":\"5f0c\",\"url\":\"/v1/media/5f0c\",\"type\":\"image/webp\","
                  "\"width\":160,\"height\":90,\"frames\":12,\"source\":\"svg\","
                  "\"engine\":\"librsvg+cpu\",\"tier\":\"host\"}}");
    in = (message){.kind = MESSAGE_SUPER_CHAT,
                   .text = slice("go"),
                   .size_px = 25,
                   .super_chat = {.price_cents = 3000, .duration_s = 60, .currency = "CNY"}};
    check_message(&in, 1,
                  "{\"seq\":7,\"ts\":0,\"kind\":\"super_chat\",\"text\":\"go\",\"mode\":\"scroll\","
                  "\"color\":\"#000000\",\"size\":25,\"super_chat\":{\"price_cents\":3000,"
                  "\"currency\":\"CNY\",\"duration_s\":60}}");
    in = (message){.kind = MESSAGE_RECALL, .target_seq = 3};
    check_message(&in, 1, "{\"seq\":7,\"ts\":0,\"kind\":\"recall\",\"target\":3}");
    in = (message){
        .kind = MESSAGE_EVENT, .text = slice("room_closed"), .ext = slice("{\"by\":\"m\"}")};
    check_message(&in, 1,
                  "{\"seq\":7,\"ts\":0,\"kind\":\"event\",\"event\":\"room_closed\","
                  "\"ext\":{\"by\":\"m\"}}");
}

static void the_longest_of_each_kind_fits_the_promised_bytes(void **state)
{
    (void)state;
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        message in = picture();
        in.kind = (message_kind)kind;
        in.mode = PROTOCOL_MODE_REVERSE;
        in.ts_ms = INT64_MIN;
        in.target_seq = UINT64_MAX;
        in.size_px = UINT16_MAX;
        in.color = 0xffffff;
        in.media.width = in.media.height = in.media.frames = UINT32_MAX;
        in.super_chat = (message_super_chat){
            .price_cents = UINT32_MAX, .duration_s = UINT32_MAX, .currency = "USD"};
        in.text = slice("\x01\x02\"\\\n");
        in.user_id = slice("\x1f");
        in.name = slice("\t\"");
        in.ext = slice("1");
        check_message(&in, UINT32_MAX, NULL);
    }
}

static void every_control_character_is_escaped(void **state)
{
    (void)state;
    message in = {.text = slice("\b\t\n\v\f\r\x01\x1f\x7f"), .size_px = 12};
    check_message(&in, 1,
                  "{\"seq\":7,\"ts\":0,\"kind\":\"text\",\"text\":\"\\b\\t\\n\\u000B\\f\\r\\u0001"
                  "\\u001F\x7f\",\"mode\":\"scroll\",\"color\":\"#000000\",\"size\":12}");
}

static void check_batch(const format_batch *batch, const char *expected)
{
    dp_buf *frame = NULL;
    assert_int_equal(format_of(FORMAT_JSON)->build(pool, batch, &frame), DP_OK);
    assert_int_equal(dp_buf_size(frame) - FORMAT_HEADROOM, strlen(expected));
    assert_memory_equal((char *)dp_buf_data(frame) + FORMAT_HEADROOM, expected, strlen(expected));
    dp_put(frame);
}

static void a_batch_tells_its_numbers_where_they_say_something(void **state)
{
    (void)state;
    unsigned char packed[256];
    const message in = {.kind = MESSAGE_RECALL, .target_seq = 1};
    message_pack(&in, packed);
    const format_message two[] = {{.seq = 5, .count = 1, .packed = packed},
                                  {.seq = 6, .count = 1, .packed = packed}};
#define TWO                                                                                        \
    "\"msgs\":[{\"seq\":5,\"ts\":0,\"kind\":\"recall\",\"target\":1},"                             \
    "{\"seq\":6,\"ts\":0,\"kind\":\"recall\",\"target\":1}]}"
    format_batch batch = {
        .room = "r", .epoch = "e", .messages = two, .count = 2, .first_seq = 5, .next_seq = 7};
    check_batch(&batch, "{\"op\":\"batch\",\"seq\":5,\"missed\":0," TWO);
    batch.first_seq = 4;
    batch.next_seq = 9;
    batch.sampled = 2;
    batch.merged = 1;
    check_batch(
        &batch,
        "{\"op\":\"batch\",\"seq\":4,\"missed\":0,\"next\":9,\"sampled\":2,\"merged\":1," TWO);
    batch =
        (format_batch){.messages = two, .count = 2, .first_seq = 5, .next_seq = 7, .history = true};
    check_batch(&batch, "{\"op\":\"batch\",\"seq\":5,\"missed\":0,\"history\":true," TWO);
    batch.resumed = true;
    check_batch(
        &batch,
        "{\"op\":\"batch\",\"seq\":5,\"missed\":0,\"history\":true,\"recovered\":false," TWO);
    batch.recovered = true;
    check_batch(
        &batch,
        "{\"op\":\"batch\",\"seq\":5,\"missed\":0,\"history\":true,\"recovered\":true," TWO);
    batch = (format_batch){.messages = two, .count = 2, .first_seq = 5, .next_seq = 7, .own = true};
    check_batch(&batch, "{\"op\":\"batch\",\"seq\":5,\"missed\":0,\"own\":true," TWO);
    batch = (format_batch){.first_seq = 97, .next_seq = 97, .missed = 55};
    check_batch(&batch, "{\"op\":\"batch\",\"seq\":97,\"missed\":55,\"msgs\":[]}");
    batch = (format_batch){.first_seq = UINT64_MAX - 1,
                           .next_seq = UINT64_MAX,
                           .missed = UINT64_MAX,
                           .sampled = UINT64_MAX,
                           .merged = UINT64_MAX,
                           .own = true,
                           .history = true,
                           .resumed = true};
    check_batch(&batch,
                "{\"op\":\"batch\",\"seq\":18446744073709551614,\"missed\":"
                "18446744073709551615,\"next\":18446744073709551615,\"sampled\":"
                "18446744073709551615,\"merged\":18446744073709551615,\"own\":true,"
                "\"history\":true,\"recovered\":false,\"msgs\":[]}");
}

static void the_history_body_names_room_and_epoch(void **state)
{
    (void)state;
    const format_batch batch = {.room = "lobby", .epoch = "18c", .first_seq = 42, .next_seq = 42};
    const char *expected = "{\"room\":\"lobby\",\"epoch\":\"18c\",\"seq\":41,\"msgs\":[]}";
    dp_buf *body = NULL;
    assert_int_equal(format_json_history(pool, &batch, &body), DP_OK);
    assert_int_equal(dp_buf_size(body), strlen(expected));
    assert_memory_equal(dp_buf_data(body), expected, strlen(expected));
    dp_put(body);
}

/* Numbers of every length, through the one place where they can be seen alone. */
static void numbers_of_every_length_are_written_whole(void **state)
{
    (void)state;
    uint64_t number = 0;
    for (unsigned digits = 0; digits < 20; digits++) {
        for (uint64_t near = 0; near < 3; near++) {
            char expected[128];
            uint64_t seq = number + near;
            (void)snprintf(expected, sizeof expected,
                           "{\"op\":\"batch\",\"seq\":%llu,\"missed\":0,\"msgs\":[]}",
                           (unsigned long long)seq);
            const format_batch batch = {.first_seq = seq, .next_seq = seq};
            check_batch(&batch, expected);
        }
        number = number * 10 + 9;
    }
}

static void an_unbuilt_format_has_a_name_and_no_builder(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORMAT_COUNT; i++) {
        assert_non_null(format_of((format_id)i)->name);
    }
    assert_string_equal(format_of(FORMAT_JSON)->name, "json");
    assert_false(format_of(FORMAT_JSON)->is_binary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_as_documented),
        cmocka_unit_test(the_other_kinds_are_as_documented),
        cmocka_unit_test(the_longest_of_each_kind_fits_the_promised_bytes),
        cmocka_unit_test(every_control_character_is_escaped),
        cmocka_unit_test(a_batch_tells_its_numbers_where_they_say_something),
        cmocka_unit_test(the_history_body_names_room_and_epoch),
        cmocka_unit_test(numbers_of_every_length_are_written_whole),
        cmocka_unit_test(an_unbuilt_format_has_a_name_and_no_builder),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
