/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: what is accepted, what is refused and how, and that `ext` survives untouched. */
#include "protocol_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A send with `ext` at the place marked by %s must deliver exactly these bytes. */
static void check_ext(const char *frame, const char *ext)
{
    char json[4096];
    snprintf(json, sizeof json, frame, ext);
    assert_int_equal(parse(json), PROTOCOL_OK);
    assert_non_null(request.ext);
    assert_int_equal(request.ext_bytes, strlen(ext));
    assert_memory_equal(request.ext, ext, request.ext_bytes);
}

static void the_send_of_the_documentation_is_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"op\":\"send\",\"id\":1,\"text\":\"你好\",\"mode\":\"top\",\"color\":"
                           "\"#12aBfF\",\"size\":64,\"ext\":{\"k\":[1, 2]}}"),
                     PROTOCOL_OK);
    assert_int_equal(request.op, PROTOCOL_OP_SEND);
    assert_true(request.has_id);
    assert_int_equal(request.id, 1);
    assert_int_equal(request.text_bytes, 6);
    assert_memory_equal(request.text, "你好", 6);
    assert_int_equal(request.mode, PROTOCOL_MODE_TOP);
    assert_int_equal(request.color, 0x12abff);
    assert_int_equal(request.size_px, 64);
    assert_int_equal(request.ext_bytes, 12);
    assert_memory_equal(request.ext, "{\"k\":[1, 2]}", 12);
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"op\":\"send\",\"text\":\"x\"}"), PROTOCOL_OK);
    assert_false(request.has_id);
    assert_int_equal(request.mode, PROTOCOL_MODE_SCROLL);
    assert_int_equal(request.color, 0xffffff);
    assert_int_equal(request.size_px, 25);
    assert_null(request.ext);
    assert_int_equal(request.ext_bytes, 0);
}

static void nothing_of_one_message_is_left_in_the_next(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"op\":\"send\",\"id\":9,\"text\":\"x\",\"mode\":\"top\",\"color\":"
                           "\"#000000\",\"size\":12,\"ext\":1}"),
                     PROTOCOL_OK);
    what_is_left_out_has_its_default(state);
}

static void http_needs_no_op_and_takes_no_id(void **state)
{
    (void)state;
    const char *json = "{\"text\":\"x\",\"op\":7,\"id\":\"y\"}";
    assert_int_equal(parse_form(json, strlen(json), false), PROTOCOL_OK);
    assert_int_equal(request.op, PROTOCOL_OP_SEND);
    assert_false(request.has_id);
    json = "{\"text\":\"x\",\"op\":\"ping\",\"id\":5}";
    assert_int_equal(parse_form(json, strlen(json), false), PROTOCOL_OK);
    assert_int_equal(request.op, PROTOCOL_OP_SEND);
    assert_false(request.has_id);
}

static void ping_is_understood_and_its_other_fields_do_not_matter(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"op\":\"ping\",\"id\":7,\"text\":5,\"size\":\"x\"}"), PROTOCOL_OK);
    assert_int_equal(request.op, PROTOCOL_OP_PING);
    assert_true(request.has_id);
    assert_int_equal(request.id, 7);
    assert_int_equal(parse("{\"op\":\"ping\"}"), PROTOCOL_OK);
    assert_false(request.has_id);
}

static void unknown_fields_of_any_type_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"a\":null,\"b\":true,\"c\":-1.5e300,\"d\":\"\\u0000\",\"e\":[{}],"
                           "\"f\":{\"text\":1,\"op\":2,\"size\":3},\"\":0,\"Text\":4,"
                           "\"op\":\"send\",\"text\":\"x\"}"),
                     PROTOCOL_OK);
}

static void ids_are_integers_up_to_2_to_the_53(void **state)
{
    (void)state;
    static const char *const wrong[] = {"-1",   "-0",   "1.0",   "1e3", "9007199254740993",
                                        "null", "true", "\"1\"", "[1]", "18446744073709551617",
                                        "{}",   "1.5"};
    assert_int_equal(parse("{\"op\":\"ping\",\"id\":0}"), PROTOCOL_OK);
    assert_true(request.has_id);
    assert_int_equal(parse("{\"op\":\"ping\",\"id\":9007199254740992}"), PROTOCOL_OK);
    assert_true(request.id == 9007199254740992);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"op\":\"ping\",\"id\":%s}", wrong[i]);
        check_error(json, PROTOCOL_BAD_REQUEST, "id must be an integer from 0 to 9007199254740992");
        assert_false(request.has_id);
    }
}

static void sizes_are_integers_from_12_to_64(void **state)
{
    (void)state;
    static const char *const wrong[] = {"11",   "65",     "25.0", "2.5e1", "-25",
                                        "null", "\"25\"", "[25]", "0",     "99999999999999999999"};
    static const char *const right[] = {"12", "25", "64"};
    char json[128];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"x\",\"size\":%s}", wrong[i]);
        check_error(json, PROTOCOL_BAD_REQUEST, "size must be an integer from 12 to 64");
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"x\",\"size\":%s}", right[i]);
        assert_int_equal(parse(json), PROTOCOL_OK);
        assert_int_equal(request.size_px, atoi(right[i]));
    }
}

static void colors_are_six_hexadecimal_digits(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\"#fff\"",    "\"ffffff\"", "\"#ffffff0\"", "\"#gggggg\"",
                                        "\"#ff ff0\"", "\"\"",       "16777215",     "null",
                                        "\"#-12345\"", "\"red\""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"x\",\"color\":%s}", wrong[i]);
        check_error(json, PROTOCOL_BAD_REQUEST, "color must be #rrggbb");
    }
    assert_int_equal(parse("{\"op\":\"send\",\"text\":\"x\",\"color\":\"\\u00230000fF\"}"),
                     PROTOCOL_OK);
    assert_int_equal(request.color, 0xff);
}

static void op_is_required_and_known(void **state)
{
    (void)state;
    check_error("{\"text\":\"x\"}", PROTOCOL_BAD_REQUEST, "op must be a string");
    check_error("{\"op\":1,\"text\":\"x\"}", PROTOCOL_BAD_REQUEST, "op must be a string");
    check_error("{\"op\":\"sent\",\"text\":\"x\"}", PROTOCOL_UNKNOWN_OP, "op must be send or ping");
    check_error("{\"op\":\"\"}", PROTOCOL_UNKNOWN_OP, "op must be send or ping");
    check_error("{}", PROTOCOL_BAD_REQUEST, "op must be a string");
}

static void text_is_required_and_a_string(void **state)
{
    (void)state;
    static const char *const wrong[] = {"5", "null", "true", "[\"x\"]", "{}"};
    check_error("{\"op\":\"send\"}", PROTOCOL_BAD_REQUEST, "text must be a string");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":%s}", wrong[i]);
        check_error(json, PROTOCOL_BAD_REQUEST, "text must be a string");
    }
}

static void text_is_cleaned_before_it_is_measured(void **state)
{
    (void)state;
    check_error("{\"op\":\"send\",\"text\":\"\"}", PROTOCOL_TEXT_EMPTY,
                "text is empty after trimming");
    check_error("{\"op\":\"send\",\"text\":\" \\u3000\\u202e\\n\\u0000 \"}", PROTOCOL_TEXT_EMPTY,
                "text is empty after trimming");
    assert_int_equal(parse("{\"op\":\"send\",\"text\":\" a\\u0000\\u202Eb\\\"\\\\ \"}"),
                     PROTOCOL_OK);
    assert_int_equal(request.text_bytes, 4);
    assert_memory_equal(request.text, "ab\"\\", 4);
}

/* `count` times the character, with white space around that does not count. */
static protocol_error parse_text_of(const char *character, size_t count)
{
    char json[PROTOCOL_FRAME_BYTES_MAX + 1];
    size_t used = (size_t)snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"  ");
    for (size_t i = 0; i < count; i++) {
        memcpy(json + used, character, strlen(character));
        used += strlen(character);
    }
    memcpy(json + used, "  \"}", 4);
    return parse_bytes(json, used + 4);
}

static void text_is_measured_in_code_points(void **state)
{
    (void)state;
    static const char *const characters[] = {
        "x", "\xC3\xA9", "\xE4\xBD\xA0", "\xF0\x9F\x9A\x80", "\\ud83d\\ude80", "\\n"};
    for (size_t i = 0; i + 1 < sizeof characters / sizeof characters[0]; i++) {
        assert_int_equal(parse_text_of(characters[i], 200), PROTOCOL_OK);
        assert_int_equal(parse_text_of(characters[i], 201), PROTOCOL_TEXT_TOO_LONG);
        assert_string_equal(refusal.text, "text has 201 characters, at most 200");
    }
    assert_int_equal(parse_text_of("\\n", 300), PROTOCOL_TEXT_EMPTY);
}

static void escapes_give_their_characters(void **state)
{
    (void)state;
    assert_int_equal(
        parse("{\"op\":\"send\",\"text\":\"\\u4f60\\u00e9\\ud83d\\ude80\\/\\\\\\\"\\u0041\"}"),
        PROTOCOL_OK);
    const char *expected = "你é🚀/\\\"A";
    assert_int_equal(request.text_bytes, strlen(expected));
    assert_memory_equal(request.text, expected, request.text_bytes);
}

static const char *const ext_values[] = {
    "1.0e5",
    "-0",
    "12345678901234567890",
    "1E400",
    "0.10",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\"",
    "\"\\u0041\\/\\\\ \\\"\"",
    "\"\\ud800\"",
    "\":\"",
    "\" : \"",
    "\"ext\"",
    "[]",
    "{}",
    "[ ]",
    "[1 , 2,\n3\t]",
    "{\"ext\":1}",
    "{ \"a\" : { \"ext\" : [ { } ] } , \"b\":\"}\" }",
    "{\"n\":1,\"t\":17}",
    "\"你好 \xF0\x9F\x9A\x80\"",
};
#define EXT_VALUE_COUNT (sizeof ext_values / sizeof ext_values[0])

static void ext_is_kept_byte_for_byte_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXT_VALUE_COUNT; i++) {
        check_ext("{\"op\":\"send\",\"text\":\"x\",\"ext\":%s}", ext_values[i]);
        check_ext("{\"ext\":%s,\"op\":\"send\",\"text\":\"x\"}", ext_values[i]);
        check_ext("{\"op\":\"send\",\"ext\":%s,\"text\":\"x\\n\"}", ext_values[i]);
        check_ext(" {\"ext\" :\t\r\n %s \t\r\n, \"op\":\"send\",\"text\":\"x\"} \n", ext_values[i]);
        check_ext("{\"op\":\"send\",\"text\":\"x\",\"ext\"\n:\n%s\n}", ext_values[i]);
        check_ext("{\"\\u0065xt\":%s,\"op\":\"send\",\"text\":\"x\"}", ext_values[i]);
    }
}

static void the_last_of_repeated_fields_wins(void **state)
{
    (void)state;
    check_ext("{\"ext\":{\"a\":[1]},\"op\":\"send\",\"text\":\"x\",\"ext\":%s}", "[2 ]");
    check_ext("{\"ext\":1,\"op\":\"send\",\"text\":\"x\",\"ext\":%s,\"other\":{\"ext\":3}}",
              "\"2\"");
    assert_int_equal(
        parse("{\"op\":1,\"op\":\"send\",\"text\":5,\"text\":\"y\",\"size\":1,\"size\":"
              "20,\"id\":\"\",\"id\":3,\"text\":\"z\"}"),
        PROTOCOL_OK);
    assert_int_equal(request.size_px, 20);
    assert_int_equal(request.id, 3);
    assert_memory_equal(request.text, "z", 1);
    check_error("{\"op\":\"send\",\"text\":\"z\",\"text\":5}", PROTOCOL_BAD_REQUEST,
                "text must be a string");
}

static void a_nested_ext_is_not_taken_for_one(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"op\":\"send\",\"text\":\"x\",\"a\":{\"ext\":1,\"text\":\"n\"},"
                           "\"b\":[{\"ext\":2}],\"c\":\"ext\",\"ext2\":1,\"ex\":2}"),
                     PROTOCOL_OK);
    assert_null(request.ext);
    assert_memory_equal(request.text, "x", 1);
}

static protocol_error parse_ext_of(size_t ext_bytes)
{
    char json[4096];
    char ext[2048];
    assert_true(ext_bytes >= 2 && ext_bytes < sizeof ext);
    memset(ext, 'e', ext_bytes);
    ext[0] = ext[ext_bytes - 1] = '"';
    ext[ext_bytes] = '\0';
    snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"x\",\"ext\":   %s   }", ext);
    return parse(json);
}

static void ext_is_limited_as_written(void **state)
{
    (void)state;
    assert_int_equal(parse_ext_of(1024), PROTOCOL_OK);
    assert_int_equal(request.ext_bytes, 1024);
    assert_int_equal(parse_ext_of(1025), PROTOCOL_EXT_TOO_LARGE);
    assert_string_equal(refusal.text, "ext has 1025 bytes, at most 1024");
}

static void the_id_is_known_even_when_the_rest_is_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"op\":\"send\",\"id\":77}", "{\"op\":\"send\",\"text\":5,\"id\":77}",
        "{\"op\":\"nope\",\"id\":77}", "{\"id\":77,\"op\":\"send\",\"text\":\"\"}",
        "{\"id\":77,\"op\":\"send\",", "{\"id\":77,\"op\":\"send\",\"text\":\"x\"} garbage",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_not_equal(parse(wrong[i]), PROTOCOL_OK);
        assert_true(request.has_id);
        assert_int_equal(request.id, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_send_of_the_documentation_is_understood),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(nothing_of_one_message_is_left_in_the_next),
        cmocka_unit_test(http_needs_no_op_and_takes_no_id),
        cmocka_unit_test(ping_is_understood_and_its_other_fields_do_not_matter),
        cmocka_unit_test(unknown_fields_of_any_type_are_ignored),
        cmocka_unit_test(ids_are_integers_up_to_2_to_the_53),
        cmocka_unit_test(sizes_are_integers_from_12_to_64),
        cmocka_unit_test(colors_are_six_hexadecimal_digits),
        cmocka_unit_test(op_is_required_and_known),
        cmocka_unit_test(text_is_required_and_a_string),
        cmocka_unit_test(text_is_cleaned_before_it_is_measured),
        cmocka_unit_test(text_is_measured_in_code_points),
        cmocka_unit_test(escapes_give_their_characters),
        cmocka_unit_test(ext_is_kept_byte_for_byte_wherever_it_stands),
        cmocka_unit_test(the_last_of_repeated_fields_wins),
        cmocka_unit_test(a_nested_ext_is_not_taken_for_one),
        cmocka_unit_test(ext_is_limited_as_written),
        cmocka_unit_test(the_id_is_known_even_when_the_rest_is_wrong),
    };
    return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
