/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file is by its first bytes, and the names of the formats.
 */
#include <string.h>

#include "cm.h"
#include "render/render.h"

static dp_media_format sniff(const char *text)
{
    return dp_media_sniff(text, strlen(text));
}

static void magic_numbers_decide(void **state)
{
    (void)state;
    assert_int_equal(dp_media_sniff("\xff\xd8\xff\xe0", 4), DP_MEDIA_JPEG);
    assert_int_equal(dp_media_sniff("\x89PNG\r\n\x1a\n....", 12), DP_MEDIA_PNG);
    assert_int_equal(dp_media_sniff("RIFF\x10\0\0\0WEBPVP8 ", 16), DP_MEDIA_WEBP);
    assert_int_equal(dp_media_sniff("GIF89a.", 7), DP_MEDIA_GIF);
    assert_int_equal(dp_media_sniff("GIF87a.", 7), DP_MEDIA_GIF);
}

static void short_and_unlike_bytes_are_unknown(void **state)
{
    (void)state;
    assert_int_equal(dp_media_sniff("", 0), DP_MEDIA_UNKNOWN);
    assert_int_equal(dp_media_sniff("\xff\xd8\xff", 3), DP_MEDIA_UNKNOWN);
    assert_int_equal(dp_media_sniff("\x89PNG\r\n\x1a", 7), DP_MEDIA_UNKNOWN);
    assert_int_equal(dp_media_sniff("RIFF\x10\0\0\0WAVEfmt ", 16), DP_MEDIA_UNKNOWN);
    assert_int_equal(dp_media_sniff("GIF88a", 6), DP_MEDIA_UNKNOWN);
    assert_int_equal(sniff("<html><svg></svg></html>"), DP_MEDIA_UNKNOWN);
    assert_int_equal(sniff("hello, world"), DP_MEDIA_UNKNOWN);
    assert_int_equal(sniff("<svgx>"), DP_MEDIA_UNKNOWN);
    assert_int_equal(sniff("<!-- <svg> "), DP_MEDIA_UNKNOWN);
    assert_int_equal(sniff("<?xml version='1.0'"), DP_MEDIA_UNKNOWN);
}

static void svg_is_found_behind_its_prologue(void **state)
{
    (void)state;
    assert_int_equal(sniff("<svg/>"), DP_MEDIA_SVG);
    assert_int_equal(sniff("\xef\xbb\xbf \n<svg xmlns='x'>"), DP_MEDIA_SVG);
    assert_int_equal(sniff("<?xml version='1.0'?><!-- > <a> --><svg>"), DP_MEDIA_SVG);
    assert_int_equal(sniff("<s:svg xmlns:s='x'>"), DP_MEDIA_SVG);
    assert_int_equal(sniff("<!DOCTYPE svg [<!ENTITY a '>'>]><svg>"), DP_MEDIA_SVG);
    assert_int_equal(sniff("<!DOCTYPE svg><s:svg>"), DP_MEDIA_SVG);
}

static void every_format_has_a_name_and_a_type(void **state)
{
    (void)state;
    assert_string_equal(dp_media_format_name(DP_MEDIA_JPEG), "jpeg");
    assert_string_equal(dp_media_content_type(DP_MEDIA_SVG), "image/svg+xml");
    assert_string_equal(dp_media_format_name((dp_media_format)99), "unknown");
    for (int f = 0; f < DP_MEDIA_FORMAT_COUNT; f++) {
        assert_non_null(dp_media_format_name((dp_media_format)f));
        assert_non_null(dp_media_content_type((dp_media_format)f));
    }
    assert_false(dp_media_can_decode(DP_MEDIA_UNKNOWN));
    assert_false(dp_media_can_decode(DP_MEDIA_FORMAT_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(magic_numbers_decide),
        cmocka_unit_test(short_and_unlike_bytes_are_unknown),
        cmocka_unit_test(svg_is_found_behind_its_prologue),
        cmocka_unit_test(every_format_has_a_name_and_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
