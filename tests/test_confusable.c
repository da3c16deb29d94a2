/* SPDX-License-Identifier: Apache-2.0 */
/* Folding of comments: what looks alike becomes alike, and every character knows its bytes. */
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include <dp_features.h>

#include "server/gate/confusable.h"

#define POINTS 256u

static void same_skeleton(const char *a, const char *b)
{
    confusable_point one[POINTS];
    confusable_point two[POINTS];
    size_t count = confusable_skeleton(a, strlen(a), one, POINTS, NULL);
    assert_int_equal(confusable_skeleton(b, strlen(b), two, POINTS, NULL), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(one[i].point, two[i].point);
    }
}

/* The plain folding as text, for ASCII results. */
static void plain_is(const char *from, const char *expected)
{
    confusable_point points[POINTS];
    size_t count = confusable_plain(from, strlen(from), points, POINTS, NULL);
    assert_int_equal(count, strlen(expected));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(points[i].point, (unsigned char)expected[i]);
    }
}

static void case_width_and_marks_are_folded(void **state)
{
    (void)state;
    plain_is("Hello, World! 100%", "hello, world! 100%");
    plain_is("ｆｕｌｌ　ＷＩＤＴＨ", "full width");
    plain_is("na\xC3\xAFve Z\xCC\xB7\xCC\xA1\x61lgo", "naive zalgo");
    plain_is("①② 𝐀𝓫 ⅿ ™ ß", "12 ab m tm ss");
    plain_is("ze\xE2\x80\x8Bro\xE2\x81\xA0 wi\xC2\xAD\x64th\xEF\xB8\x8F", "zero width");
    plain_is("٣४", "34");
}

static void look_alikes_of_other_scripts_are_folded(void **state)
{
    (void)state;
    if (!DP_HAVE_ICU) {
        skip();
    }
    plain_is("ѕһіт", "shit");
    plain_is("аdмin РАУРАL", "admin paypal");
    same_skeleton("НЕТ", "нет");
    same_skeleton("ロ", "口");
}

static void a_skeleton_has_no_separators_and_one_form_of_what_looks_alike(void **state)
{
    (void)state;
    same_skeleton("b.a-d w0RD", "badword");
    same_skeleton("$h1t", "shlt");
    same_skeleton("l3375 |", "1337s I");
    same_skeleton("傻🐶逼", "傻 逼");
}

static void other_letters_stay_what_they_are(void **state)
{
    (void)state;
    confusable_point points[POINTS];
    assert_int_equal(confusable_skeleton("가がか", 9, points, POINTS, NULL), 3);
    assert_int_equal(points[0].point, 0xAC00);
    assert_int_equal(points[1].point, 0x304C);
    assert_int_equal(points[2].point, 0x304B);
}

static void every_character_knows_its_bytes(void **state)
{
    (void)state;
    static const char text[] = "a\xCC\x81 \xC3\x9F..x";
    confusable_point points[POINTS];
    assert_int_equal(confusable_skeleton(text, strlen(text), points, POINTS, NULL), 4);
    assert_int_equal(points[0].from, 0);
    assert_int_equal(points[0].to, 3); /* with its accent */
    assert_int_equal(points[1].from, 4);
    assert_int_equal(points[2].from, 4); /* sharp s is two */
    assert_int_equal(points[2].to, 6);
    assert_int_equal(points[1].has_gap, 1);
    assert_int_equal(points[2].has_gap, 0);
    assert_int_equal(points[3].from, 8);
    assert_int_equal(points[3].has_gap, 1);
}

static void a_long_gap_is_a_break(void **state)
{
    (void)state;
    confusable_point points[POINTS];
    assert_int_equal(confusable_skeleton("a...b", 5, points, POINTS, NULL), 2);
    assert_int_equal(confusable_skeleton("a....b", 6, points, POINTS, NULL), 3);
    assert_int_equal(points[1].point, CONFUSABLE_BREAK);
}

static void what_does_not_fit_is_told(void **state)
{
    (void)state;
    confusable_point points[2];
    size_t rest = 99;
    assert_int_equal(confusable_plain("abcd", 4, points, 2, &rest), 2);
    assert_int_equal(rest, 2);
    assert_int_equal(confusable_plain("ab", 2, points, 2, &rest), 2);
    assert_int_equal(rest, 0);
}

static void masks_are_one_star_a_visible_character(void **state)
{
    (void)state;
    char text[] = "xa\xCC\x81你y";
    uint64_t bits[1] = {0x7E}; /* from the second byte to the end of the third character */
    size_t size = confusable_mask(text, strlen(text), bits);
    assert_int_equal(size, 4);
    assert_memory_equal(text, "x**y", 4);
}

/* The growth that buffers are made for, and that nothing is read or written outside. */
static void any_bytes_are_folded_within_bounds(void **state)
{
    (void)state;
    unsigned seed = 77;
    for (int round = 0; round < 20000; round++) {
        size_t size = 1 + (unsigned)round % 23;
        char *text = malloc(size);
        confusable_point points[23 * CONFUSABLE_GROWTH_MAX];
        assert_non_null(text);
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = (char)(seed >> 24);
        }
        size_t rest = 1;
        size_t count = confusable_skeleton(text, size, points, 23 * CONFUSABLE_GROWTH_MAX, &rest);
        assert_int_equal(rest, 0);
        for (size_t i = 0; i < count; i++) {
            assert_true(points[i].from <= points[i].to && points[i].to <= size);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_width_and_marks_are_folded),
        cmocka_unit_test(look_alikes_of_other_scripts_are_folded),
        cmocka_unit_test(a_skeleton_has_no_separators_and_one_form_of_what_looks_alike),
        cmocka_unit_test(other_letters_stay_what_they_are),
        cmocka_unit_test(every_character_knows_its_bytes),
        cmocka_unit_test(a_long_gap_is_a_break),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(masks_are_one_star_a_visible_character),
        cmocka_unit_test(any_bytes_are_folded_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
