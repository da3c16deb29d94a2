/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the log as JSON: members, types, quotes that the callers do not escape, hostile bytes.
 */
#include "cm.h"

#include <stdio.h>
#include <string.h>

#include <yajl/yajl_tree.h>

#include "server/ops/log.h"

static const char *as_json(const char *line)
{
    static char text[LOG_JSON_BYTES + 1];
    size_t bytes = log_json(line, strlen(line), text);
    assert_true(bytes <= LOG_JSON_BYTES);
    text[bytes] = '\0';
    char why[256];
    yajl_val tree = yajl_tree_parse(text, why, sizeof why);
    if (tree == NULL) {
        fail_msg("not JSON: %s%s", text, why);
    }
    yajl_tree_free(tree);
    return text;
}

static void pairs_become_members_and_whole_numbers_numbers(void **state)
{
    (void)state;
    assert_string_equal(
        as_json("ts=2026-01-02T03:04:05.678Z level=info msg=\"serving\" port=8080 n=-3 z=007 v=1.5 "
                "address=127.0.0.1 empty= big=12345678901234567\n"),
        "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"msg\":\"serving\",\"port\":8080,"
        "\"n\":-3,\"z\":\"007\",\"v\":\"1.5\",\"address\":\"127.0.0.1\",\"empty\":\"\","
        "\"big\":\"12345678901234567\"}\n");
}

static void quotes_and_backslashes_stay_in_their_value(void **state)
{
    (void)state;
    assert_string_equal(as_json("msg=\"a \\\"b\\\" c\\\\\" reason=\"not \"x\\y\", no\" end=1\n"),
                        "{\"msg\":\"a \\\"b\\\" c\\\\\",\"reason\":\"not \\\"x\\\\y\\\", no\","
                        "\"end\":1}\n");
}

static void bytes_that_are_no_utf_8_become_question_marks(void **state)
{
    (void)state;
    assert_string_equal(as_json("path=\"小\xff\xc0\xaf\xed\xa0\x80\"\n"),
                        "{\"path\":\"小??????\"}\n");
    assert_string_equal(as_json("path=\xe5\n"), "{\"path\":\"?\"}\n");
}

static void any_bytes_give_json(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        static const char alphabet[] = "a=\"\\ 0-\xe5\xb0\x8f{}\n";
        char line[64];
        size_t length = 1 + seed % 62;
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525u + 1013904223u;
            char c = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
            line[i] = c == '\n' ? '?' : c; /* log_line() leaves no control character */
        }
        line[length] = '\0';
        if (strncmp(line, "msg=", 4) != 0) {
            as_json(line);
        }
    }
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    char line[2 * LOG_JSON_BYTES];
    size_t used = (size_t)snprintf(line, sizeof line, "level=info a=\"");
    memset(line + used, '"', LOG_JSON_BYTES / 2);
    used += LOG_JSON_BYTES / 2;
    snprintf(line + used, sizeof line - used, "\" b=2\n");
    assert_string_equal(as_json(line), "{\"level\":\"info\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_become_members_and_whole_numbers_numbers),
        cmocka_unit_test(quotes_and_backslashes_stay_in_their_value),
        cmocka_unit_test(bytes_that_are_no_utf_8_become_question_marks),
        cmocka_unit_test(any_bytes_give_json),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
