/* SPDX-License-Identifier: Apache-2.0 */
/* Packed messages: what is packed is viewed, the promised size is written and not a byte more. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire/message.h"

static message_slice slice(const char *text)
{
    return (message_slice){.bytes = text, .size_bytes = (uint32_t)strlen(text)};
}

static void assert_slice(message_slice got, message_slice wanted)
{
    assert_int_equal(got.size_bytes, wanted.size_bytes);
    if (wanted.size_bytes == 0) {
        assert_null(got.bytes);
    } else {
        assert_memory_equal(got.bytes, wanted.bytes, wanted.size_bytes);
    }
}

/* Packs into a block of the exact size, so that a sanitizer sees a byte too many. */
static void *pack(const message *in)
{
    void *to = malloc(message_packed_bytes(in));
    assert_non_null(to);
    message_pack(in, to);
    return to;
}

static void check_round_trip(const message *in)
{
    void *packed = pack(in);
    message out;
    message_view(packed, &out);
    assert_int_equal(out.kind, in->kind);
    assert_int_equal(out.lane, in->lane);
    assert_int_equal(out.mode, in->mode);
    assert_int_equal(out.color, in->color);
    assert_int_equal(out.size_px, in->size_px);
    assert_int_equal(out.ts_ms, in->ts_ms);
    assert_int_equal(out.target_seq, in->target_seq);
    assert_int_equal(out.sender_key, in->sender_key);
    assert_slice(out.text, in->text);
    assert_slice(out.ext, in->ext);
    assert_slice(out.user_id, in->user_id);
    assert_slice(out.name, in->name);
    assert_slice(out.media.id, in->media.id);
    assert_slice(out.media.content_type, in->media.content_type);
    assert_slice(out.media.source, in->media.source);
    assert_slice(out.media.engine, in->media.engine);
    assert_slice(out.media.tier, in->media.tier);
    assert_int_equal(out.media.width, in->media.width);
    assert_int_equal(out.media.height, in->media.height);
    assert_int_equal(out.media.frames, in->media.frames);
    assert_int_equal(out.super_chat.price_cents, in->super_chat.price_cents);
    assert_int_equal(out.super_chat.duration_s, in->super_chat.duration_s);
    assert_memory_equal(out.super_chat.currency, in->super_chat.currency, 4);
    free(packed);
}

static message full(void)
{
    return (message){.kind = MESSAGE_SUPER_CHAT,
                     .lane = MESSAGE_LANE_SUPER,
                     .mode = PROTOCOL_MODE_REVERSE,
                     .color = 0xabcdef,
                     .size_px = 65535,
                     .ts_ms = INT64_MIN,
                     .target_seq = UINT64_MAX,
                     .sender_key = 0x0123456789abcdef,
                     .user_id = slice("u1"),
                     .name = slice("名字"),
                     .text = slice("hello"),
                     .ext = slice("{\"a\":[1, 2]}"),
                     .media = {.id = slice("5f"),
                               .content_type = slice("image/webp"),
                               .source = slice("svg"),
                               .engine = slice("cpu"),
                               .tier = slice("host"),
                               .width = 1,
                               .height = UINT32_MAX,
                               .frames = 3},
                     .super_chat = {.price_cents = 3000, .duration_s = 60, .currency = "CNY"}};
}

static void every_field_comes_back(void **state)
{
    (void)state;
    message in = full();
    check_round_trip(&in);
    in = (message){.kind = MESSAGE_TEXT, .text = slice("x")};
    check_round_trip(&in);
}

/* Each of the eight parts there or not. */
static void every_set_of_parts_comes_back(void **state)
{
    (void)state;
    for (unsigned set = 0; set < 256; set++) {
        message in = full();
        in.user_id = (set & 1u) != 0 ? in.user_id : (message_slice){.bytes = NULL};
        in.name = (set & 2u) != 0 ? in.name : (message_slice){.bytes = NULL};
        in.text = (set & 4u) != 0 ? in.text : (message_slice){.bytes = NULL};
        in.ext = (set & 8u) != 0 ? in.ext : (message_slice){.bytes = NULL};
        in.media.engine = (set & 16u) != 0 ? in.media.engine : (message_slice){.bytes = NULL};
        in.media = (set & 32u) != 0 ? in.media : (message_media){.width = 0};
        in.kind = (set & 64u) != 0 ? MESSAGE_SUPER_CHAT : MESSAGE_MEDIA;
        if (in.kind != MESSAGE_SUPER_CHAT) {
            in.super_chat = (message_super_chat){.price_cents = 0};
        }
        in.lane = (set & 128u) != 0 ? MESSAGE_LANE_CONTROL : MESSAGE_LANE_NORMAL;
        check_round_trip(&in);
    }
}

static bool plain(const char *text, size_t size_bytes)
{
    const message in = {.text = {.bytes = text, .size_bytes = (uint32_t)size_bytes}};
    void *packed = pack(&in);
    message out;
    message_view(packed, &out);
    free(packed);
    return out.is_plain;
}

/* Every byte value at every place of texts around the word size. */
static void a_text_is_plain_exactly_when_json_needs_no_escape(void **state)
{
    (void)state;
    char text[19];
    for (size_t size = 0; size <= sizeof text; size++) {
        memset(text, 'z', sizeof text);
        assert_true(plain(text, size));
        for (size_t at = 0; at < size; at++) {
            for (unsigned c = 0; c < 256; c++) {
                text[at] = (char)c;
                assert_int_equal(plain(text, size), !(c < 0x20 || c == '"' || c == '\\'));
            }
            text[at] = 'z';
        }
    }
    message in = full();
    in.name = slice("say \"hi\"");
    void *packed = pack(&in);
    message out;
    message_view(packed, &out);
    assert_false(out.is_plain);
    free(packed);
}

static void a_request_becomes_a_text_of_nobody(void **state)
{
    (void)state;
    const protocol_request request = {.text = "hey",
                                      .text_bytes = 3,
                                      .mode = PROTOCOL_MODE_TOP,
                                      .color = 0x102030,
                                      .size_px = 36,
                                      .ext = "[1]",
                                      .ext_bytes = 3};
    message out;
    message_from_request(&request, &out);
    assert_int_equal(out.kind, MESSAGE_TEXT);
    assert_int_equal(out.lane, MESSAGE_LANE_NORMAL);
    assert_int_equal(out.mode, PROTOCOL_MODE_TOP);
    assert_int_equal(out.color, 0x102030);
    assert_int_equal(out.size_px, 36);
    assert_int_equal(out.ts_ms, 0);
    assert_slice(out.text, slice("hey"));
    assert_slice(out.ext, slice("[1]"));
    assert_null(out.user_id.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(every_set_of_parts_comes_back),
        cmocka_unit_test(a_text_is_plain_exactly_when_json_needs_no_escape),
        cmocka_unit_test(a_request_becomes_a_text_of_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
