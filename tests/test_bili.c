/* SPDX-License-Identifier: Apache-2.0 */
/* Bilibili's protocol: headers to the byte, what clients send at auth, what a batch holds. */
#include "cm.h"
#include "one_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dp_features.h>

#include <yajl/yajl_tree.h>

#include "server/wire/bili_packet.h"
#include "server/wire/format.h"
#include "server/wire/format_bili.h"
#include "server/wire/message.h"

#if DP_HAVE_ZLIB
#include <zlib.h>
#endif

static void headers_are_those_of_the_service(void **state)
{
    (void)state;
    uint8_t to[BILI_HEADER_BYTES];
    bili_header_write(to, 10, BILI_CONTROL, BILI_AUTH_REPLY);
    assert_memory_equal(to, "\0\0\0\x1a\0\x10\0\x01\0\0\0\x08\0\0\0\x01", sizeof to);
    bili_header_write(to, 4, BILI_CONTROL, BILI_HEARTBEAT_REPLY);
    assert_memory_equal(to, "\0\0\0\x14\0\x10\0\x01\0\0\0\x03\0\0\0\x01", sizeof to);
    bili_header_write(to, 0x12345, BILI_ZLIB, BILI_MESSAGE);
    assert_memory_equal(to, "\0\x01\x23\x55\0\x10\0\x02\0\0\0\x05\0\0\0\x01", sizeof to);
}

/* What reading gives of an exactly allocated copy. */
static bili_read read_copy(const uint8_t *bytes, size_t size_bytes, bili_packet *out)
{
    uint8_t *copy = malloc(size_bytes + 1);
    assert_non_null(copy);
    memcpy(copy + 1, bytes, size_bytes);
    bili_read result = bili_packet_read(copy + 1, size_bytes, out);
    out->body = NULL;
    free(copy);
    return result;
}

static void a_packet_is_read_once_it_is_whole(void **state)
{
    (void)state;
    uint8_t bytes[BILI_HEADER_BYTES + 5] = {0};
    bili_packet packet = {.packet_bytes = 0};
    bili_header_write(bytes, 5, BILI_CONTROL, BILI_AUTH);
    for (size_t have = 0; have < sizeof bytes; have++) {
        assert_int_equal(read_copy(bytes, have, &packet), BILI_READ_MORE);
    }
    assert_int_equal(read_copy(bytes, sizeof bytes, &packet), BILI_READ_PACKET);
    assert_int_equal(packet.packet_bytes, sizeof bytes);
    assert_int_equal(packet.body_bytes, 5);
    assert_int_equal(packet.operation, BILI_AUTH);
    assert_int_equal(packet.version, 1);
}

static void a_header_that_nobody_sends_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, value;
    } wrong[] = {{3, 15}, {3, 0}, {2, 0x11}, {0, 1}, {5, 17}, {5, 0}, {4, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t bytes[BILI_HEADER_BYTES];
        bili_packet packet;
        bili_header_write(bytes, 0, BILI_CONTROL, BILI_HEARTBEAT);
        bytes[wrong[i].at] = wrong[i].value;
        assert_int_equal(read_copy(bytes, sizeof bytes, &packet), BILI_READ_FAIL);
    }
}

static bool auth_of(const char *body, bili_auth *out)
{
    return bili_auth_read((const uint8_t *)body, strlen(body), out);
}

static void auth_is_read_as_each_client_sends_it(void **state)
{
    (void)state;
    static const struct {
        const char *body, *room, *token;
        int version;
    } rows[] = {
        {"{\"uid\":0,\"roomid\":5050,\"protover\":2,\"platform\":\"web\",\"type\":2}", "5050", "",
         2},
        {"{\"roomid\":5050,\"protover\":3,\"platform\":\"web\",\"type\":2}", "5050", "", 3},
        {"{\"uid\":0,\"roomid\":2,\"protover\":3,\"platform\":\"web\",\"type\":2,\"key\":\"k\","
         "\"buvid\":\"B\"}",
         "2", "k", 3},
        {"{\"uid\": 0, \"roomid\": 5050, \"protover\": 3, \"type\": 2, \"buvid\": \"B\"}", "5050",
         "", 3},
        {"{\"roomid\":7}", "7", "", 0},
        {"{\"roomid\":\"7\",\"protover\":9}", "7", "", 0},
        {"{\"a\":{\"roomid\":1},\"b\":[3],\"roomid\":8}", "8", "", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bili_auth found;
        assert_true(auth_of(rows[i].body, &found));
        assert_string_equal(found.room, rows[i].room);
        assert_string_equal(found.token, rows[i].token);
        assert_int_equal(found.version, rows[i].version);
    }
}

static void auth_without_a_room_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "{}",
                                       "[]",
                                       "5",
                                       "{\"roomid\":0}",
                                       "{\"roomid\":-1}",
                                       "{\"roomid\":1.5}",
                                       "{\"roomid\":1e3}",
                                       "{\"roomid\":\"../x\"}",
                                       "{\"roomid\":12345678901234567890}",
                                       "{\"roomid\":1",
                                       "{\"roomid\":null}",
                                       "[{\"roomid\":1}]"};
    bili_auth found;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(auth_of(rows[i], &found));
    }
    char *long_key = malloc(BILI_TOKEN_BYTES + 64);
    assert_non_null(long_key);
    int at = snprintf(long_key, 32, "{\"roomid\":1,\"key\":\"");
    memset(long_key + at, 'k', BILI_TOKEN_BYTES);
    memcpy(long_key + at + BILI_TOKEN_BYTES, "\"}", 3);
    assert_false(auth_of(long_key, &found));
    free(long_key);
    char deep[200];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_false(auth_of(deep, &found));
}

#if DP_HAVE_ZLIB

static message_slice slice(const char *text)
{
    return (message_slice){.bytes = text, .size_bytes = (uint32_t)strlen(text)};
}

#define MESSAGES 4u

static message message_of(unsigned kind)
{
    message in = {.kind = MESSAGE_TEXT,
                  .mode = PROTOCOL_MODE_TOP,
                  .color = 0x00ff00,
                  .size_px = 18,
                  .ts_ms = 1790000000123,
                  .user_id = slice("42"),
                  .name = slice("A\"nn"),
                  .text = slice("say \"hi\" \\ 你")};
    if (kind == 1) {
        in.kind = MESSAGE_MEDIA;
        in.media = (message_media){.id = slice("5f0c"), .width = 160, .height = 90, .frames = 3};
    } else if (kind == 2) {
        in.kind = MESSAGE_SUPER_CHAT;
        in.super_chat = (message_super_chat){3000, 60, "CNY"};
    } else if (kind == 3) {
        in.kind = MESSAGE_RECALL;
        in.target_seq = 5;
    }
    return in;
}

static dp_buf *build(format_id format)
{
    void *packed[MESSAGES];
    format_message entries[MESSAGES];
    dp_buf *out = NULL;
    for (unsigned i = 0; i < MESSAGES; i++) {
        const message in = message_of(i);
        packed[i] = malloc(message_packed_bytes(&in));
        assert_non_null(packed[i]);
        message_pack(&in, packed[i]);
        entries[i] = (format_message){.seq = 9 + i, .count = 1 + i, .packed = packed[i]};
    }
    const format_batch batch = {.room = "5050",
                                .epoch = "e",
                                .messages = entries,
                                .count = MESSAGES,
                                .first_seq = 9,
                                .next_seq = 9 + MESSAGES};
    assert_int_equal(format_of(format)->build(pool, &batch, &out), DP_OK);
    for (unsigned i = 0; i < MESSAGES; i++) {
        free(packed[i]);
    }
    return out;
}

/* The JSON of the n-th packet of a frame that holds exactly MESSAGES of them. */
static yajl_val packet_json(const uint8_t *bytes, size_t size_bytes, unsigned index)
{
    yajl_val found = NULL;
    size_t at = 0;
    for (unsigned i = 0; i < MESSAGES; i++) {
        char text[8192];
        char error[200];
        /* Ours may be longer than what a client may send: only the header's place is the same. */
        size_t packet_bytes = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        assert_memory_equal(bytes + at + 4, "\0\x10\0\0\0\0\0\x05", 8);
        assert_true(packet_bytes > BILI_HEADER_BYTES && at + packet_bytes <= size_bytes);
        if (i == index) {
            size_t body_bytes = packet_bytes - BILI_HEADER_BYTES;
            assert_true(body_bytes < sizeof text);
            memcpy(text, bytes + at + BILI_HEADER_BYTES, body_bytes);
            text[body_bytes] = '\0';
            found = yajl_tree_parse(text, error, sizeof error);
            assert_non_null(found);
        }
        at += packet_bytes;
    }
    assert_int_equal(at, size_bytes);
    return found;
}

static yajl_val member(yajl_val of, const char *name)
{
    const char *path[] = {name, NULL};
    yajl_val found = yajl_tree_get(of, path, yajl_t_any);
    assert_non_null(found);
    return found;
}

static yajl_val item(yajl_val of, size_t index)
{
    assert_true(YAJL_IS_ARRAY(of));
    assert_true(index < YAJL_GET_ARRAY(of)->len);
    return YAJL_GET_ARRAY(of)->values[index];
}

static void a_comment_has_every_index_that_clients_read(void **state)
{
    (void)state;
    dp_buf *frame = build(FORMAT_BILI_PLAIN);
    assert_non_null(frame);
    const uint8_t *bytes = (const uint8_t *)dp_buf_data(frame) + FORMAT_HEADROOM;
    yajl_val json = packet_json(bytes, dp_buf_size(frame) - FORMAT_HEADROOM, 0);
    assert_string_equal(YAJL_GET_STRING(member(json, "cmd")), "DANMU_MSG");
    yajl_val info = member(json, "info");
    assert_true(YAJL_GET_ARRAY(info)->len >= 17);
    assert_string_equal(YAJL_GET_STRING(item(info, 1)), "say \"hi\" \\ 你");
    yajl_val style = item(info, 0);
    assert_int_equal(YAJL_GET_ARRAY(style)->len, 16);
    assert_int_equal(YAJL_GET_INTEGER(item(style, 1)), 5);
    assert_int_equal(YAJL_GET_INTEGER(item(style, 2)), 18);
    assert_int_equal(YAJL_GET_INTEGER(item(style, 3)), 0x00ff00);
    assert_int_equal(YAJL_GET_INTEGER(item(style, 4)), 1790000000123);
    assert_int_equal(YAJL_GET_INTEGER(item(style, 5)), 9);
    assert_string_equal(YAJL_GET_STRING(item(style, 7)), "3224b088"); /* CRC-32 of "42" */
    assert_int_equal(YAJL_GET_INTEGER(item(style, 12)), 0);
    assert_string_equal(YAJL_GET_STRING(item(style, 13)), "{}");
    const char *extra_text = YAJL_GET_STRING(member(item(style, 15), "extra"));
    char error[200];
    yajl_val extra = yajl_tree_parse(extra_text, error, sizeof error);
    assert_non_null(extra);
    assert_string_equal(YAJL_GET_STRING(member(extra, "content")), "say \"hi\" \\ 你");
    assert_true(YAJL_IS_NULL(member(extra, "emots")));
    yajl_tree_free(extra);
    yajl_val user = item(info, 2);
    assert_true(YAJL_GET_ARRAY(user)->len >= 8);
    assert_int_equal(YAJL_GET_INTEGER(item(user, 0)), 42);
    assert_string_equal(YAJL_GET_STRING(item(user, 1)), "A\"nn");
    assert_true(YAJL_GET_ARRAY(item(info, 4))->len >= 5);
    assert_int_equal(YAJL_GET_INTEGER(member(item(info, 9), "ts")), 1790000000);
    assert_true(YAJL_IS_ARRAY(item(info, 16)));
    assert_int_equal(YAJL_GET_INTEGER(member(member(json, "danpool"), "seq")), 9);
    yajl_tree_free(json);
    dp_put(frame);
}

static void the_other_kinds_are_their_commands(void **state)
{
    (void)state;
    format_bili_media_base("https://live.example.org");
    dp_buf *frame = build(FORMAT_BILI_PLAIN);
    format_bili_media_base("");
    const uint8_t *bytes = (const uint8_t *)dp_buf_data(frame) + FORMAT_HEADROOM;
    size_t size_bytes = dp_buf_size(frame) - FORMAT_HEADROOM;
    yajl_val json = packet_json(bytes, size_bytes, 1);
    yajl_val style = item(member(json, "info"), 0);
    assert_int_equal(YAJL_GET_INTEGER(item(style, 12)), 1);
    yajl_val sticker = item(style, 13);
    assert_string_equal(YAJL_GET_STRING(member(sticker, "url")),
                        "https://live.example.org/v1/media/5f0c");
    assert_int_equal(YAJL_GET_INTEGER(member(sticker, "width")), 160);
    assert_int_equal(YAJL_GET_INTEGER(member(sticker, "is_dynamic")), 1);
    /* Its text, shown where pictures are not, has a size and can be seen on black. */
    assert_int_equal(YAJL_GET_INTEGER(item(style, 2)), 25);
    assert_int_equal(YAJL_GET_INTEGER(item(style, 3)), 0xffffff);
    yajl_tree_free(json);
    static const char *const wanted[] = {"id",
                                         "uid",
                                         "price",
                                         "message",
                                         "message_trans",
                                         "start_time",
                                         "end_time",
                                         "time",
                                         "background_image",
                                         "background_color",
                                         "background_icon",
                                         "background_bottom_color",
                                         "background_price_color"};
    json = packet_json(bytes, size_bytes, 2);
    assert_string_equal(YAJL_GET_STRING(member(json, "cmd")), "SUPER_CHAT_MESSAGE");
    yajl_val data = member(json, "data");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        (void)member(data, wanted[i]);
    }
    assert_int_equal(YAJL_GET_INTEGER(member(data, "price")), 30);
    assert_string_equal(YAJL_GET_STRING(member(member(data, "gift"), "gift_name")), "super chat");
    assert_string_equal(YAJL_GET_STRING(member(member(data, "user_info"), "uname")), "A\"nn");
    yajl_tree_free(json);
    json = packet_json(bytes, size_bytes, 3);
    /* A name with DANMU_MSG inside would be taken for a comment. */
    assert_string_equal(YAJL_GET_STRING(member(json, "cmd")), "DANPOOL_RECALL");
    assert_int_equal(YAJL_GET_INTEGER(member(member(json, "data"), "target_seq")), 5);
    yajl_tree_free(json);
    dp_put(frame);
}

static void an_address_that_needs_escapes_leaves_json_whole(void **state)
{
    (void)state;
    char base[256];
    char wanted[sizeof base + 16];
    memset(base, '"', sizeof base - 1);
    base[sizeof base - 1] = '\0';
    format_bili_media_base(base);
    dp_buf *frame = build(FORMAT_BILI_PLAIN);
    format_bili_media_base("");
    yajl_val json = packet_json((const uint8_t *)dp_buf_data(frame) + FORMAT_HEADROOM,
                                dp_buf_size(frame) - FORMAT_HEADROOM, 1);
    yajl_val sticker = item(item(member(json, "info"), 0), 13);
    (void)snprintf(wanted, sizeof wanted, "%s/v1/media/5f0c", base);
    assert_string_equal(YAJL_GET_STRING(member(sticker, "url")), wanted);
    yajl_tree_free(json);
    dp_put(frame);
}

static void zlib_holds_the_same_packets(void **state)
{
    (void)state;
    dp_buf *plain = build(FORMAT_BILI_PLAIN);
    dp_buf *packed = build(FORMAT_BILI_ZLIB);
    size_t plain_bytes = dp_buf_size(plain) - FORMAT_HEADROOM;
    const uint8_t *packet = (const uint8_t *)dp_buf_data(packed) + FORMAT_HEADROOM;
    size_t packet_bytes = dp_buf_size(packed) - FORMAT_HEADROOM;
    uLongf inflated_bytes = plain_bytes + 100;
    uint8_t *inflated = malloc(inflated_bytes);
    assert_non_null(inflated);
    assert_memory_equal(packet + 4, "\0\x10\0\x02\0\0\0\x05", 8);
    assert_int_equal((size_t)packet[2] << 8 | packet[3], packet_bytes);
    assert_int_equal(uncompress(inflated, &inflated_bytes, packet + BILI_HEADER_BYTES,
                                packet_bytes - BILI_HEADER_BYTES),
                     Z_OK);
    assert_int_equal(inflated_bytes, plain_bytes);
    assert_memory_equal(inflated, (const uint8_t *)dp_buf_data(plain) + FORMAT_HEADROOM,
                        plain_bytes);
    free(inflated);
    dp_put(plain);
    dp_put(packed);
}

static void a_batch_of_numbers_only_is_no_frame(void **state)
{
    (void)state;
    const format_batch batch = {.room = "1", .epoch = "e", .first_seq = 1, .next_seq = 9};
    for (format_id id = FORMAT_BILI_PLAIN; id <= FORMAT_BILI_BROTLI; id++) {
        if (format_of(id)->build != NULL) {
            dp_buf *out = (dp_buf *)(uintptr_t)&batch;
            assert_int_equal(format_of(id)->build(pool, &batch, &out), DP_OK);
            assert_null(out);
        }
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_those_of_the_service),
        cmocka_unit_test(a_packet_is_read_once_it_is_whole),
        cmocka_unit_test(a_header_that_nobody_sends_is_refused),
        cmocka_unit_test(auth_is_read_as_each_client_sends_it),
        cmocka_unit_test(auth_without_a_room_is_refused),
#if DP_HAVE_ZLIB
        cmocka_unit_test(a_comment_has_every_index_that_clients_read),
        cmocka_unit_test(the_other_kinds_are_their_commands),
        cmocka_unit_test(an_address_that_needs_escapes_leaves_json_whole),
        cmocka_unit_test(zlib_holds_the_same_packets),
        cmocka_unit_test(a_batch_of_numbers_only_is_no_frame),
#endif
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
