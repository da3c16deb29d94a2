/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small readers under the front end: numbers, lengths, colours, transforms.
 */
#include <math.h>
#include <string.h>

#include "cm.h"
#include "render/svg/svg_colour.h"
#include "render/svg/svg_matrix.h"
#include "render/svg/svg_names.h"
#include "render/svg/svg_number.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (1 + fabs(b));
}

static void numbers_end_where_the_grammar_ends_them(void **state)
{
    static const struct {
        const char *text;
        double value;
        const char *rest;
    } rows[] = {
        {"0", 0, ""},
        {"12.5", 12.5, ""},
        {"-.5.5", -0.5, ".5"},
        {"+3-4", 3, "-4"},
        {"1e2", 100, ""},
        {"1E-2x", 0.01, "x"},
        {"2em", 2, "em"},
        {"2ex", 2, "ex"},
        {"1e", 1, "e"},
        {"1e+", 1, "e+"},
        {"5.", 5, ""},
        {"00012", 12, ""},
        {"123456789012345678901234567890", SVG_NUMBER_MAX, ""},
        {"0.00000000000000000000000000000000000001", 1e-38, ""},
        {"1e999999999999", SVG_NUMBER_MAX, ""},
        {"-1e400", -SVG_NUMBER_MAX, ""},
        {"1e-999999999999", 0, ""},
        {"123456789.123456789123456789", 123456789.123456789, ""},
        {"0.1e1", 1, ""},
        {"100000000000000000000e-20", 1, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *at = rows[i].text;
        double value = -7;
        assert_true(svg_read_number(&at, &value));
        if (!near(value, rows[i].value) || strcmp(at, rows[i].rest) != 0) {
            print_error("%s gave %.17g and \"%s\"\n", rows[i].text, value, at);
        }
        assert_true(near(value, rows[i].value));
        assert_string_equal(at, rows[i].rest);
    }
}

static void what_is_no_number_leaves_the_cursor(void **state)
{
    static const char *const texts[] = {"",    "-",   "+",        ".",  "-.",  "e5",
                                        "nan", "inf", "Infinity", " 1", "--1", ".e1"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *at = texts[i];
        double value = 42;
        assert_false(svg_read_number(&at, &value));
        assert_ptr_equal(at, texts[i]);
        assert_true(near(value, 42));
    }
}

static void lengths_are_in_px_or_relative(void **state)
{
    static const struct {
        const char *text;
        double px;
    } rows[] = {{"3", 3},     {"3px", 3},  {" 1in ", 96},       {"2.54cm", 96}, {"25.4mm", 96},
                {"72pt", 96}, {"6pc", 96}, {"2em", 20},         {"2ex", 10},    {"50%", 100},
                {"1IN", 96},  {"-4", -4},  {"1e1mm", 96 / 2.54}};
    const svg_metrics metrics = {200, 100, 10};
    svg_length length;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(svg_parse_length(rows[i].text, &length));
        assert_true(fabs(svg_resolve(length, SVG_AXIS_X, &metrics) - rows[i].px) < 1e-4);
    }
    assert_true(svg_parse_length("50%", &length));
    assert_true(near(svg_resolve(length, SVG_AXIS_Y, &metrics), 50));
    assert_true(near(svg_resolve(length, SVG_AXIS_DIAGONAL, &metrics),
                     0.5 * sqrt((200.0 * 200 + 100.0 * 100) / 2)));
    assert_false(svg_parse_length("auto", &length));
    assert_false(svg_parse_length("3qq", &length));
    assert_false(svg_parse_length("3 4", &length));
    assert_false(svg_parse_length("", &length));
}

static void colour_is(const char *text, scene_rgba wanted)
{
    const char *at = text;
    scene_rgba colour = 0x12345678;
    if (!svg_read_colour(&at, &colour) || colour != wanted || *at != '\0') {
        print_error("%s gave %08x, then \"%s\"\n", text, colour, at);
        fail();
    }
}

/* Written as in CSS, #rrggbbaa. */
#define RGBA(v) ((v) >> 24 | ((v) >> 8 & 0xff00u) | ((v)&0xff00u) << 8 | ((v)&0xffu) << 24)

static void colours_of_css_are_read(void **state)
{
    (void)state;
    colour_is("red", RGBA(0xff0000ffu));
    colour_is("LightGoldenRodYellow", RGBA(0xfafad2ffu));
    colour_is("rebeccapurple", RGBA(0x663399ffu));
    colour_is("aliceblue", RGBA(0xf0f8ffffu));
    colour_is("yellowgreen", RGBA(0x9acd32ffu));
    colour_is("transparent", 0);
    colour_is("#1aF", RGBA(0x11aaffffu));
    colour_is("#1aF8", RGBA(0x11aaff88u));
    colour_is("#0123ab", RGBA(0x0123abffu));
    colour_is("#0123abcd", RGBA(0x0123abcdu));
    colour_is("rgb(1,2,3)", RGBA(0x010203ffu));
    colour_is("rgb( 100% , 50%,0% )", RGBA(0xff8000ffu));
    colour_is("rgba(300,-5,3,.5)", RGBA(0xff000380u));
    colour_is("rgb(10 200 30 / 40%)", RGBA(0x0ac81e66u));
    colour_is("hsl(120,100%,25%)", RGBA(0x008000ffu));
    colour_is("hsla(-120deg 100% 50% / 0.5)", RGBA(0x0000ff80u));
    colour_is("hsl(0.5turn,100%,50%)", RGBA(0x00ffffffu));
}

static void what_is_no_colour_is_left(void **state)
{
    static const char *const texts[] = {"",           "none",        "#12",
                                        "#12345",     "#123456789",  "#ggg",
                                        "rgb(1,2)",   "rgb(1,2,3",   "notacolour",
                                        "rgb",        "url(#a)",     "lightgoldenrodyellowish",
                                        "hsl(a,b,c)", "currentColor"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *at = texts[i];
        scene_rgba colour = 7;
        assert_false(svg_read_colour(&at, &colour));
        assert_ptr_equal(at, texts[i]);
        assert_int_equal(colour, 7);
    }
}

static void transform_is(const char *text, svg_matrix wanted)
{
    svg_matrix m = SVG_IDENTITY;
    assert_true(svg_parse_transform(text, &m));
    const double got[6] = {m.a, m.b, m.c, m.d, m.e, m.f};
    const double want[6] = {wanted.a, wanted.b, wanted.c, wanted.d, wanted.e, wanted.f};
    for (int i = 0; i < 6; i++) {
        if (fabs(got[i] - want[i]) > 1e-9) {
            print_error("%s: entry %d is %g\n", text, i, got[i]);
            fail();
        }
    }
}

static void transform_lists_multiply_from_the_left(void **state)
{
    (void)state;
    transform_is("", SVG_IDENTITY);
    transform_is("none", SVG_IDENTITY);
    transform_is("translate(3)", (svg_matrix){1, 0, 0, 1, 3, 0});
    transform_is(" translate( 3 , 4 ) scale(2)", (svg_matrix){2, 0, 0, 2, 3, 4});
    transform_is("scale(2),translate(3 4)", (svg_matrix){2, 0, 0, 2, 6, 8});
    transform_is("scale(2-3)", (svg_matrix){2, 0, 0, -3, 0, 0});
    transform_is("rotate(90)", (svg_matrix){0, 1, -1, 0, 0, 0});
    transform_is("rotate(90 10 20)", (svg_matrix){0, 1, -1, 0, 30, 10});
    transform_is("skewX(45)", (svg_matrix){1, 0, 1, 1, 0, 0});
    transform_is("skewY(45)", (svg_matrix){1, 1, 0, 1, 0, 0});
    transform_is("matrix(1 2 3 4 5 6)", (svg_matrix){1, 2, 3, 4, 5, 6});
    transform_is("matrix(1,2,3,4,5,6)translate(1,1)", (svg_matrix){1, 2, 3, 4, 9, 12});
    transform_is("translate(10px, 5px) rotate(90deg)", (svg_matrix){0, 1, -1, 0, 10, 5});
}

static void transforms_with_errors_change_nothing(void **state)
{
    static const char *const texts[] = {
        "translate",     "translate(", "translate()", "scale(1,2,3)", "rotate(1,2)",
        "matrix(1 2 3)", "turn(3)",    "scale(2) x",  "translate(a)", "scale(2"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        svg_matrix m = {1, 2, 3, 4, 5, 6};
        assert_false(svg_parse_transform(texts[i], &m));
        assert_true(m.a == 1 && m.b == 2 && m.c == 3 && m.d == 4 && m.e == 5 && m.f == 6);
    }
}

static void matrices_are_inverted_unless_they_flatten(void **state)
{
    const svg_matrix m = {2, 1, -1, 3, 5, 7};
    svg_matrix back;
    (void)state;
    assert_true(svg_matrix_invert(&m, &back));
    const svg_matrix unit = svg_matrix_mul(&m, &back);
    assert_true(near(unit.a, 1) && near(unit.d, 1) && fabs(unit.b) < 1e-12 && fabs(unit.e) < 1e-12);
    const svg_matrix flat = {1, 2, 2, 4, 0, 0};
    assert_false(svg_matrix_invert(&flat, &back));
    assert_false(svg_matrix_usable(&flat));
    const svg_matrix huge = {1e10, 0, 0, 1e10, 0, 0}, none = {NAN, 0, 0, 1, 0, 0};
    assert_false(svg_matrix_usable(&huge));
    assert_false(svg_matrix_usable(&none));
}

static void every_name_of_the_lists_is_found_and_no_other(void **state)
{
    static svg_names names;
    (void)state;
    svg_names_fill(&names);
#define SVG_NAME_CHECK(id, name)                                                                   \
    assert_int_equal(svg_element_of(&names, name, sizeof(name) - 1), SVG_EL_##id);
    SVG_ELEMENT_LIST(SVG_NAME_CHECK)
#undef SVG_NAME_CHECK
#define SVG_NAME_CHECK(id, name)                                                                   \
    assert_int_equal(svg_attribute_of(&names, name, sizeof(name) - 1), SVG_AT_##id);
    SVG_ATTRIBUTE_LIST(SVG_NAME_CHECK)
#undef SVG_NAME_CHECK
    assert_int_equal(svg_element_of(&names, "Path", 4), SVG_EL_OTHER);
    assert_int_equal(svg_element_of(&names, "pat", 3), SVG_EL_OTHER);
    assert_int_equal(svg_element_of(&names, "", 0), SVG_EL_OTHER);
    assert_int_equal(svg_attribute_of(&names, "onclick", 7), SVG_AT_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_end_where_the_grammar_ends_them),
        cmocka_unit_test(what_is_no_number_leaves_the_cursor),
        cmocka_unit_test(lengths_are_in_px_or_relative),
        cmocka_unit_test(colours_of_css_are_read),
        cmocka_unit_test(what_is_no_colour_is_left),
        cmocka_unit_test(transform_lists_multiply_from_the_left),
        cmocka_unit_test(transforms_with_errors_change_nothing),
        cmocka_unit_test(matrices_are_inverted_unless_they_flatten),
        cmocka_unit_test(every_name_of_the_lists_is_found_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
