/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol's vocabulary: error codes, modes, room names. */
#include "protocol_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void modes_are_known_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"scroll", "top", "bottom", "reverse"};
    static const char *const wrong[] = {"\"Scroll\"", "\"scrol\"", "\"scrolls\"",
                                        "\"\"",       "1",         "null"};
    char json[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        protocol_mode mode;
        snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"x\",\"mode\":\"%s\"}", names[i]);
        assert_int_equal(parse(json), PROTOCOL_OK);
        assert_int_equal(request.mode, i);
        assert_string_equal(protocol_mode_name(request.mode), names[i]);
        assert_true(protocol_mode_by_name(names[i], strlen(names[i]), &mode));
        assert_int_equal(mode, i);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(json, sizeof json, "{\"op\":\"send\",\"text\":\"x\",\"mode\":%s}", wrong[i]);
        check_error(json, PROTOCOL_BAD_REQUEST, "mode must be scroll, top, bottom or reverse");
    }
}

static void room_names_are_short_and_plain(void **state)
{
    (void)state;
    char name[66];
    memset(name, 'a', sizeof name);
    assert_true(protocol_room_name_valid("lobby", 5));
    assert_true(protocol_room_name_valid("A.b_c-9", 7));
    assert_true(protocol_room_name_valid(name, 64));
    assert_false(protocol_room_name_valid(name, 65));
    assert_false(protocol_room_name_valid("", 0));
    for (int c = 0; c < 256; c++) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '.' || c == '-';
        name[1] = (char)c;
        assert_int_equal(protocol_room_name_valid(name, 3), plain);
    }
}

static void every_error_has_a_code_and_a_status(void **state)
{
    (void)state;
    for (int error = 0; error < PROTOCOL_ERROR_COUNT; error++) {
        assert_true(strlen(protocol_error_code((protocol_error)error)) > 0);
        unsigned status = protocol_error_http_status((protocol_error)error);
        assert_true(error == PROTOCOL_OK ? status == 200 : status >= 400 && status < 600);
    }
    assert_string_equal(protocol_error_code(PROTOCOL_INTERNAL), "internal");
    assert_int_equal(protocol_error_http_status(PROTOCOL_RATE_LIMITED), 429);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_are_known_by_name),
        cmocka_unit_test(room_names_are_short_and_plain),
        cmocka_unit_test(every_error_has_a_code_and_a_status),
    };
    return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
