/* SPDX-License-Identifier: Apache-2.0 */
/* Whose pages may open a WebSocket. */
#include "cm.h"

#include <string.h>

#include "server/conn/origin.h"

static void without_a_list_or_without_an_origin_all_is_allowed(void **state)
{
    (void)state;
    assert_true(origin_is_allowed("", "https://anywhere.example"));
    assert_true(origin_is_allowed("https://a.example", ""));
}

static void an_origin_is_one_of_the_list_or_below_a_star(void **state)
{
    (void)state;
    static const char list[] =
        "https://live.example.org, http://localhost:3000 https://*.tv.example";
    static const struct {
        const char *origin;
        bool is_allowed;
    } rows[] = {{"https://live.example.org", true},
                {"https://LIVE.example.org", true},
                {"http://live.example.org", false},
                {"https://live.example.org:8443", false},
                {"https://live.example.org.evil.example", false},
                {"https://evil.example/https://live.example.org", false},
                {"http://localhost:3000", true},
                {"http://localhost", false},
                {"https://a.tv.example", true},
                {"https://a.b.tv.example", true},
                {"https://tv.example", false},
                {"https://.tv.example", false},
                {"https://eviltv.example", false},
                {"https://evil.example/.tv.example", false},
                {"https://evil.example:1@x.tv.example", false},
                {"null", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (origin_is_allowed(list, rows[i].origin) != rows[i].is_allowed) {
            fail_msg("%s", rows[i].origin);
        }
    }
}

static void a_wrong_entry_of_a_list_is_found(void **state)
{
    (void)state;
    assert_null(origin_list_wrong(""));
    assert_null(origin_list_wrong("https://a.example,http://b:80 , https://*.c.example"));
    static const char *const wrong[] = {"a.example",       "https://",          "https://a/",
                                        "https://*",       "https://*.*.a",     "https://a.*.b",
                                        "ftp://a.example", "https://*a.example"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_ptr_equal(origin_list_wrong(wrong[i]), wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_list_or_without_an_origin_all_is_allowed),
        cmocka_unit_test(an_origin_is_one_of_the_list_or_below_a_star),
        cmocka_unit_test(a_wrong_entry_of_a_list_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
