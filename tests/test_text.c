/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning of comment text: what goes, what stays, what is cut, and that UTF-8 comes out of
 * anything. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire/text.h"

/* Cleans a literal and compares both results; the output buffer is exactly as large as the input.
 */
static void check_bytes(const char *from, size_t from_bytes, const char *expected, size_t chars)
{
    size_t got_chars = 12345;
    char *to = malloc(from_bytes + 1);
    assert_non_null(to);
    size_t got_bytes = text_clean(from, from_bytes, to, &got_chars);
    assert_int_equal(got_bytes, strlen(expected));
    assert_memory_equal(to, expected, got_bytes);
    assert_int_equal(got_chars, chars);
    free(to);
}

static void check(const char *from, const char *expected, size_t chars)
{
    check_bytes(from, strlen(from), expected, chars);
}

static void plain_text_is_left_as_it_is(void **state)
{
    (void)state;
    check("hello", "hello", 5);
    check("a b  c", "a b  c", 6);
    check("你好", "你好", 2);
    check("naïve ~ <b>&amp;\"\\", "naïve ~ <b>&amp;\"\\", 18);
}

static void white_space_at_both_ends_is_cut(void **state)
{
    (void)state;
    check("  hi  ", "hi", 2);
    check("\xE3\x80\x80hi\xE3\x80\x80", "hi", 2);                             /* U+3000 */
    check("\xC2\xA0\xE2\x80\x83hi there\xE2\x80\xAF\xC2\xA0", "hi there", 8); /* 00A0 2003 202F */
    check("\t\r\n hi\n", "hi", 2);
}

static void text_of_nothing_visible_is_empty(void **state)
{
    (void)state;
    check("", "", 0);
    check("   ", "", 0);
    check("\n\t\x7F", "", 0);
    check("\xE2\x80\x8E \xE2\x80\x8F", "", 0);
    check("\xEF\xBB\xBF", "", 0);
}

static void control_characters_are_removed(void **state)
{
    (void)state;
    check_bytes("a\0b", 3, "ab", 2);
    check(
        "a\x01\x1F\x7F"
        "b",
        "ab", 2);
    check(
        "a\xC2\x80\xC2\x9F"
        "b",
        "ab", 2); /* C1 */
    check(
        "a\xC2\x85"
        "b",
        "ab", 2); /* next line: C1 and white space at once */
}

static void every_listed_format_character_is_removed_and_its_neighbours_stay(void **state)
{
    (void)state;
    static const struct {
        unsigned first, last;
    } removed[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0x200E, 0x200F},
                   {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};
    for (unsigned point = 0; point < 0x3100; point++) {
        char text[8];
        char expected[8];
        int n;
        if (point < 0x80) {
            n = snprintf(text, sizeof text, "a%cb", (char)point);
        } else if (point < 0x800) {
            n = snprintf(text, sizeof text, "a%c%cb", (char)(0xC0 | point >> 6),
                         (char)(0x80 | (point & 0x3F)));
        } else {
            n = snprintf(text, sizeof text, "a%c%c%cb", (char)(0xE0 | point >> 12),
                         (char)(0x80 | (point >> 6 & 0x3F)), (char)(0x80 | (point & 0x3F)));
        }
        bool gone = false;
        for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++) {
            gone = gone || (point >= removed[i].first && point <= removed[i].last);
        }
        snprintf(expected, sizeof expected, "%s", gone ? "ab" : text);
        check_bytes(text, (size_t)n, expected, gone ? 2 : 3);
    }
}

static void joiners_and_variation_selectors_survive(void **state)
{
    (void)state;
    /* Woman, ZWJ, rocket; heart with VS16. */
    check("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80",
          "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80", 3);
    check("\xE2\x9D\xA4\xEF\xB8\x8F", "\xE2\x9D\xA4\xEF\xB8\x8F", 2);
}

static void trimming_looks_behind_removed_characters(void **state)
{
    (void)state;
    check("\xE2\x80\xAE hi \xE2\x80\xAC", "hi", 2);
    check(" \x01 hi \x01 ", "hi", 2);
}

static void a_lone_surrogate_becomes_one_replacement_character(void **state)
{
    (void)state;
    check("a\xED\xB0\x80z", "a\xEF\xBF\xBDz", 3);
    check("\xED\xA0\x80", "\xEF\xBF\xBD", 1);
    check("\xEF\xBF\xBD", "\xEF\xBF\xBD", 1); /* the character itself is fine */
}

static void other_broken_bytes_become_question_marks(void **state)
{
    (void)state;
    check("a\x80z", "a?z", 3);
    check("a\xC3", "a?", 2);
    check("\xC0\xAF", "??", 2);
    check("\xF4\x90\x80\x80", "????", 4);
    check("\xED\xB0", "??", 2);
}

static void noncharacters_are_text(void **state)
{
    (void)state;
    check("\xEF\xBF\xBE\xEF\xBF\xBF", "\xEF\xBF\xBE\xEF\xBF\xBF", 2);
    check("\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF", 1);
}

static void cleaning_works_in_place(void **state)
{
    (void)state;
    char text[] = " \x01你\xE2\x80\x8E好\xED\xB0\x80 ";
    size_t chars;
    size_t bytes = text_clean(text, sizeof text - 1, text, &chars);
    assert_int_equal(chars, 3);
    assert_int_equal(bytes, 9);
    assert_memory_equal(text, "你好\xEF\xBF\xBD", 9);
}

static void utf8_is_judged_as_the_rfc_does(void **state)
{
    (void)state;
    assert_true(text_is_utf8("", 0));
    assert_true(text_is_utf8("a\0b", 3));
    assert_true(text_is_utf8("\xF4\x8F\xBF\xBF", 4));
    assert_false(text_is_utf8("\xF4\x90\x80\x80", 4)); /* above U+10FFFF */
    assert_false(text_is_utf8("\xC0\x80", 2));         /* overlong */
    assert_false(text_is_utf8("\xE0\x80\x80", 3));
    assert_false(text_is_utf8("\xED\xA0\x80", 3)); /* surrogate */
    assert_false(text_is_utf8("\xE4\xBD", 2));     /* cut short */
    assert_false(text_is_utf8("\xFF", 1));
}

/* Random bytes, biased to lead and continuation bytes so that whole sequences happen. */
static void any_bytes_give_utf8_that_cleans_to_itself(void **state)
{
    (void)state;
    unsigned seed = 20240607u;
    print_message("seed=%u\n", seed);
    for (int round = 0; round < 50000; round++) {
        char bytes[24];
        char once[24];
        char twice[24];
        size_t size = 0;
        while (size < sizeof bytes) {
            seed = seed * 1664525u + 1013904223u;
            unsigned r = seed >> 16;
            static const unsigned char leads[] = {0xC2, 0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0x20, 'a'};
            bytes[size++] = (char)(r & 1 ? 0x80 + (r >> 1 & 0x3F) : leads[r >> 1 & 7]);
            if ((r >> 8 & 31) == 0) {
                break;
            }
        }
        size_t chars;
        size_t chars_again;
        size_t cleaned = text_clean(bytes, size, once, &chars);
        assert_true(cleaned <= size);
        assert_true(text_is_utf8(once, cleaned));
        assert_true(chars <= cleaned);
        assert_int_equal(text_clean(once, cleaned, twice, &chars_again), cleaned);
        assert_memory_equal(once, twice, cleaned);
        assert_int_equal(chars, chars_again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_left_as_it_is),
        cmocka_unit_test(white_space_at_both_ends_is_cut),
        cmocka_unit_test(text_of_nothing_visible_is_empty),
        cmocka_unit_test(control_characters_are_removed),
        cmocka_unit_test(every_listed_format_character_is_removed_and_its_neighbours_stay),
        cmocka_unit_test(joiners_and_variation_selectors_survive),
        cmocka_unit_test(trimming_looks_behind_removed_characters),
        cmocka_unit_test(a_lone_surrogate_becomes_one_replacement_character),
        cmocka_unit_test(other_broken_bytes_become_question_marks),
        cmocka_unit_test(noncharacters_are_text),
        cmocka_unit_test(cleaning_works_in_place),
        cmocka_unit_test(utf8_is_judged_as_the_rfc_does),
        cmocka_unit_test(any_bytes_give_utf8_that_cleans_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
