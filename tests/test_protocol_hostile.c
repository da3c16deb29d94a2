/* SPDX-License-Identifier: Apache-2.0 */
/* Requests from nobody's friend: broken JSON and UTF-8, depth, size, a full arena, mutations. */
#include "protocol_fixture.h"

#include "json_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire/text.h"

static void lone_surrogates_never_give_broken_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {"\\ud800",        "\\udc00",        "a\\ud83d",
                                        "\\ud83dz",       "\\ude80\\ud83d", "\\ud800\\u0041",
                                        "\\udfff\\udfff", "\\ud800\\ud800", "\\ud800\\\\u0041",
                                        "\\ufffe\\uffff", "\\ud800\\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"%s\"}", texts[i]);
        assert_int_equal(parse(json), PROTOCOL_OK);
        assert_true(text_is_utf8(request.text, request.text_bytes));
        size_t bytes = 0;
        char *written = json_of_request(&request, &bytes);
        assert_non_null(written);
        assert_true(text_is_utf8(written, bytes));
        free(written);
    }
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "{\"op\"}",
        "{\"op\":}",
        "{\"op\":\"send\",}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{op:\"send\"}",
        "{'op':'send'}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":-01}",
        "{\"a\":0x10}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1 2]}",
        "{\"a\":[1}",
        "{\"a\":1]",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\x1f\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"",
        "{\"a\":/**/1}",
        "{\"a\":1} // end",
        "{\"a\":1}{",
        "{\"a\":1}\"",
        "{\"a\":1}\":-0}",
        "{\"a\":1} tru",
        "{\"a\":1} 1",
        "{\"a\":1} -",
        "[]\"",
        "{\"a\":1}}",
        "{\"a\":1} x",
        "{\"a\":1}\v",
        "{\"ext\":[1,\f2]}",
        "{\"a\"::1}",
        "{\"ext\"::1}",
        "{1:1}",
        "\xEF\xBB\xBF{}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (parse(wrong[i]) != PROTOCOL_BAD_JSON) {
            fail_msg("accepted as JSON: %s", wrong[i]);
        }
    }
    assert_int_equal(parse_bytes("{\"a\":1}\0", 8), PROTOCOL_BAD_JSON);
    assert_int_equal(parse_bytes("{\"a\":\"\0\"}", 9), PROTOCOL_BAD_JSON);
}

static void the_message_says_where_the_json_ends(void **state)
{
    (void)state;
    check_error("{\"op\":\"send\",}", PROTOCOL_BAD_JSON, "not JSON at byte 14");
    check_error("{\"op\":", PROTOCOL_BAD_JSON, "not JSON at byte 6");
}

static void what_is_not_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"op\":\"send\",\"text\":\"\xFF\"}",
        "{\"op\":\"send\",\"text\":\"\xC0\x80\"}",
        "{\"op\":\"send\",\"text\":\"\xED\xA0\x80\"}",
        "{\"op\":\"send\",\"text\":\"\xF5\x80\x80\x80\"}",
        "{\"op\":\"send\",\"text\":\"x\",\"ext\":\"\xE4\xBD\"}",
        "{\"op\":\"send\",\"text\":\"x\"}\x80",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_error(wrong[i], PROTOCOL_BAD_JSON, "not UTF-8");
    }
}

static void other_json_than_an_object_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"1", "\"x\"", "null", "[]", "[{\"op\":\"ping\"}]", "true"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_error(wrong[i], PROTOCOL_BAD_REQUEST, "a message is an object");
    }
}

/* `depth` containers in all, the message itself included, alternating objects and arrays. */
static protocol_error parse_nested(size_t depth)
{
    char json[1024];
    size_t used = (size_t)snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"x\",\"ext\":");
    for (size_t i = 1; i < depth; i++) {
        used += (size_t)snprintf(json + used, sizeof json - used, "%s", i % 2 ? "[" : "{\"a\":");
    }
    used += (size_t)snprintf(json + used, sizeof json - used, "1");
    for (size_t i = depth - 1; i > 0; i--) {
        json[used++] = i % 2 ? ']' : '}';
    }
    json[used++] = '}';
    return parse_bytes(json, used);
}

static void nesting_is_limited(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(PROTOCOL_DEPTH_MAX), PROTOCOL_OK);
    assert_int_equal(parse_nested(PROTOCOL_DEPTH_MAX + 1), PROTOCOL_BAD_JSON);
    assert_string_equal(refusal.text, "nested deeper than 32");
    char flood[PROTOCOL_FRAME_BYTES_MAX];
    memset(flood, '[', sizeof flood);
    assert_int_equal(parse_bytes(flood, sizeof flood), PROTOCOL_BAD_JSON);
    assert_string_equal(refusal.text, "nested deeper than 32");
}

static void a_message_larger_than_a_frame_is_refused(void **state)
{
    (void)state;
    char json[PROTOCOL_FRAME_BYTES_MAX + 2];
    memset(json, ' ', sizeof json);
    memcpy(json, "{\"op\":\"ping\"}", 13);
    assert_int_equal(parse_bytes(json, PROTOCOL_FRAME_BYTES_MAX), PROTOCOL_OK);
    assert_int_equal(parse_bytes(json, PROTOCOL_FRAME_BYTES_MAX + 1), PROTOCOL_TOO_LARGE);
}

/* The worst frames for yajl's memory: one long string with escapes, many of rising length, depth.
 */
static size_t fill_worst(char *json, size_t capacity, int shape)
{
    size_t used = 0;
    json[used++] = '{';
    for (size_t length = shape == 0 ? capacity : 1; used + 16 < capacity; length *= 2) {
        used += (size_t)snprintf(json + used, capacity - used, "%s\"k\\n", used > 1 ? "," : "");
        for (size_t i = 0; i < length && used + 12 < capacity; i++) {
            json[used++] = 'x';
        }
        used +=
            (size_t)snprintf(json + used, capacity - used, "\":%s", shape == 2 ? "[[[]]]" : "1");
    }
    json[used++] = '}';
    return used;
}

static void no_frame_fills_the_arena(void **state)
{
    (void)state;
    for (int shape = 0; shape < 3; shape++) {
        char json[PROTOCOL_FRAME_BYTES_MAX + 32];
        size_t bytes = fill_worst(json, PROTOCOL_FRAME_BYTES_MAX, shape);
        assert_true(bytes > PROTOCOL_FRAME_BYTES_MAX - 64 && bytes <= PROTOCOL_FRAME_BYTES_MAX);
        assert_int_not_equal(parse_bytes(json, bytes), PROTOCOL_BUSY);
    }
    size_t high_bytes = protocol_parser_arena_high_bytes(parser);
    print_message("arena: %zu of %u bytes used by the worst frames\n", high_bytes,
                  PROTOCOL_ARENA_BYTES);
    assert_true(high_bytes > PROTOCOL_FRAME_BYTES_MAX); /* the worst really was met */
    assert_true(high_bytes <= PROTOCOL_ARENA_BYTES * 9 / 10);
}

/* The fault sweep: an arena of any size either serves the message or says busy, and goes on. */
static void a_full_arena_is_busy_and_never_worse(void **state)
{
    (void)state;
    char json[PROTOCOL_FRAME_BYTES_MAX + 32];
    size_t bytes = fill_worst(json, PROTOCOL_FRAME_BYTES_MAX, 2);
    bool served = false;
    bool busy = false;
    for (size_t arena = 0; arena <= PROTOCOL_ARENA_BYTES; arena += arena < 1024 ? 8 : 512) {
        protocol_parser *small;
        assert_int_equal(protocol_parser_create_sized(&limits, arena, &small), DP_OK);
        for (int again = 0; again < 2; again++) {
            protocol_error error = protocol_parse(small, json, bytes, true, &request, &refusal);
            assert_true(error == PROTOCOL_BUSY || error == PROTOCOL_BAD_REQUEST);
            assert_false(served && error == PROTOCOL_BUSY);
            served = error == PROTOCOL_BAD_REQUEST;
            busy = busy || error == PROTOCOL_BUSY;
        }
        assert_true(protocol_parser_arena_high_bytes(small) <= arena);
        protocol_parser_destroy(small);
    }
    assert_true(served && busy);
    protocol_parser_destroy(NULL);
}

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static size_t mutate(char *bytes, size_t size, size_t capacity, unsigned *seed)
{
    static const char pieces[] = "{}[]\",:\\ue0123456789-+.tfn \n\x80\xED\xF0\x00";
    for (unsigned n = 1 + next_random(seed) % 6; n > 0; n--) {
        size_t at = next_random(seed) % (size + 1);
        char piece = pieces[next_random(seed) % (sizeof pieces - 1)];
        switch (next_random(seed) % 4) {
        case 0:
            if (at < size) {
                bytes[at] = piece;
            }
            break;
        case 1:
            if (size < capacity) {
                memmove(bytes + at + 1, bytes + at, size - at);
                bytes[at] = piece;
                size++;
            }
            break;
        case 2:
            if (at < size) {
                memmove(bytes + at, bytes + at + 1, size - at - 1);
                size--;
            }
            break;
        default:
            size = next_random(seed) % 16 == 0 ? at : size;
            break;
        }
    }
    return size;
}

/* What is accepted must come out as a message that is accepted again, with the same ext and text.
 */
static void check_accepted_round_trip(void)
{
    char text[PROTOCOL_FRAME_BYTES_MAX];
    size_t text_bytes = request.text_bytes;
    size_t ext_bytes = request.ext_bytes;
    memcpy(text, request.text, text_bytes);
    size_t bytes = 0;
    char *written = json_of_request(&request, &bytes);
    assert_non_null(written);
    assert_true(text_is_utf8(written, bytes));
    if (ext_bytes > 0) {
        assert_memory_equal(written + bytes - 1 - ext_bytes, request.ext, ext_bytes);
    }
    assert_int_equal(parse_form(written, bytes, false), PROTOCOL_OK);
    assert_int_equal(request.text_bytes, text_bytes);
    assert_memory_equal(request.text, text, text_bytes);
    assert_int_equal(request.ext_bytes, ext_bytes);
    free(written);
}

static void mutated_messages_are_refused_or_come_out_whole(void **state)
{
    (void)state;
    static const char *const bases[] = {
        "{\"op\":\"send\",\"id\":1,\"text\":\"你好 "
        "\\ud83d\\ude80\",\"mode\":\"top\",\"color\":\"#ffffff\","
        "\"size\":25,\"ext\":{\"k\":[1, 2.5e3,\"\\u0041\"]}}",
        "{\"ext\":-0.0,\"text\":\"x\",\"op\":\"send\"}",
        "{\"op\":\"ping\",\"id\":7}",
    };
    unsigned seed = 19820113u;
    unsigned accepted = 0;
    print_message("seed=%u\n", seed);
    for (int round = 0; round < 60000; round++) {
        char bytes[512];
        const char *base = bases[next_random(&seed) % 3];
        size_t size = strlen(base);
        memcpy(bytes, base, size);
        size = mutate(bytes, size, sizeof bytes, &seed);
        protocol_error error = parse_bytes(bytes, size);
        assert_int_not_equal(error, PROTOCOL_BUSY);
        if (error == PROTOCOL_OK && request.op == PROTOCOL_OP_SEND) {
            check_accepted_round_trip();
            accepted++;
        }
    }
    print_message("accepted=%u\n", accepted);
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_surrogates_never_give_broken_utf8),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(the_message_says_where_the_json_ends),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(other_json_than_an_object_is_refused),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(a_message_larger_than_a_frame_is_refused),
        cmocka_unit_test(no_frame_fills_the_arena),
        cmocka_unit_test(a_full_arena_is_busy_and_never_worse),
        cmocka_unit_test(mutated_messages_are_refused_or_come_out_whole),
    };
    return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
