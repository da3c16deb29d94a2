/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands beside the pixels of a file: orientation, colour profile, gamma; and a JPEG's planes.
 */
#include <stdlib.h>

#include "dp_features.h"
#include "media_more.h"
#include "render_rig.h"

static unsigned orientation_of(render_rig *rig, made_media *media)
{
    decoder *d;
    assert_int_equal(codec_open(&rig->task, rig_bytes(media), &d), DP_OK);
    const unsigned orientation = d->info.orientation;
    codec_close(d);
    media_free(media);
    return orientation;
}

static void png_and_webp_orientations_are_read(void **state)
{
    for (unsigned o = 1; o <= 8; o++) {
        uint8_t exif[MEDIA_EXIF_BYTES];
        media_exif(exif, o);
        if (dp_media_can_decode(DP_MEDIA_PNG)) {
            made_media media =
                media_png_add(media_png(9, 7, &(png_options){.bit_depth = 8, .color_type = 2}),
                              "eXIf", exif, sizeof exif);
            assert_int_equal(orientation_of(*state, &media), o);
        }
        if (DP_HAVE_WEBPMUX && DP_HAVE_WEBPDEMUX) {
            made_media media =
                media_webp_add(media_webp(9, 7, &(webp_options){0}), "EXIF", exif, sizeof exif);
            assert_int_equal(orientation_of(*state, &media), o);
        }
    }
}

/* HEIF's turns and mirrors, as libavif's own table from EXIF has them. */
static void avif_turns_become_orientations(void **state)
{
    static const avif_options shown[9] = {[1] = {0},
                                          [2] = {.mirror = 2},
                                          [3] = {.turns = 2},
                                          [4] = {.mirror = 1},
                                          [5] = {.turns = 1, .mirror = 1},
                                          [6] = {.turns = 3},
                                          [7] = {.turns = 3, .mirror = 1},
                                          [8] = {.turns = 1}};
    for (unsigned o = 1; o <= 8; o++) {
        made_media media = media_avif(16, 16, &shown[o]);
        if (media.bytes == NULL) {
            skip();
        }
        assert_int_equal(orientation_of(*state, &media), o);
        media = media_avif(16, 16, &(avif_options){.exif_orientation = o});
        assert_int_equal(orientation_of(*state, &media), o);
    }
}

/* Red rises to the right in the pattern; with the profile, what was red is shown green. */
static void check_exchanged(render_rig *rig, made_media *media)
{
    surface s;
    assert_int_equal(rig_decode(rig, media, NULL, &s), DP_OK);
    const uint8_t *right_top = surface_row(&s, 2) + 4 * (size_t)(s.width - 3);
    assert_true(right_top[1] > 200 && right_top[0] < 120 && right_top[2] < 60);
    assert_int_equal(right_top[3], 255);
    surface_drop(&s);
}

static void colours_of_a_profile_become_srgb(void **state)
{
    size_t size_bytes;
    uint8_t *profile = media_profile_rgb(&size_bytes);
    if (profile == NULL) {
        skip();
    }
    if (dp_media_can_decode(DP_MEDIA_PNG)) {
        made_media media =
            media_png_add_icc(media_png(64, 48, &(png_options){.bit_depth = 8, .color_type = 2}),
                              profile, size_bytes);
        check_exchanged(*state, &media);
    }
    if (dp_media_can_decode(DP_MEDIA_JPEG)) {
        made_media media =
            media_jpeg_add_icc(media_jpeg(64, 48, &(jpeg_options){0}), profile, size_bytes);
        check_exchanged(*state, &media);
    }
    if (DP_HAVE_WEBPMUX && DP_HAVE_WEBPDEMUX) {
        made_media media = media_webp_add(media_webp(64, 48, &(webp_options){.lossless = true}),
                                          "ICCP", profile, size_bytes);
        check_exchanged(*state, &media);
    }
    free(profile);
}

static void inks_are_shown_as_their_profile_says(void **state)
{
    size_t size_bytes;
    uint8_t *profile = media_profile_inks(&size_bytes);
    if (profile == NULL || !dp_media_can_decode(DP_MEDIA_JPEG)) {
        free(profile);
        skip();
    }
    for (int adobe = 0; adobe < 2; adobe++) {
        made_media media = media_jpeg_add_icc(
            media_jpeg(64, 48, &(jpeg_options){.cmyk = true, .adobe = adobe != 0}), profile,
            size_bytes);
        surface s;
        assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
        /* Few inks are light, many are dark, and none has a colour. */
        const uint8_t *few = surface_row(&s, 46) + 4 * 60, *many = surface_row(&s, 30) + 4 * 2;
        for (int c = 1; c < 3; c++) {
            assert_true(abs(few[0] - few[c]) <= 3 && abs(many[0] - many[c]) <= 3);
        }
        assert_true(few[0] > many[0] + 40);
        assert_int_equal(few[3], 255);
        surface_drop(&s);
    }
    free(profile);
}

/* A profile that is none, of another kind, or too large: the pixels as they are. */
static void a_profile_that_makes_no_sense_is_ignored(void **state)
{
    size_t size_bytes;
    uint8_t *profile = media_profile_inks(&size_bytes);
    if (profile == NULL || !dp_media_can_decode(DP_MEDIA_PNG)) {
        free(profile);
        skip();
    }
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 1) {
            memset(profile + 128, 0xff, size_bytes - 128);
        }
        made_media media =
            media_png_add_icc(media_png(64, 48, &(png_options){.bit_depth = 8, .color_type = 2}),
                              profile, size_bytes);
        surface s;
        uint8_t rgb[3];
        assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
        media_pattern(40, 5, 64, 48, rgb);
        assert_memory_equal(surface_row(&s, 5) + 160, rgb, 3);
        surface_drop(&s);
    }
    free(profile);
}

static void gamma_is_corrected_where_nothing_better_is_said(void **state)
{
    static const uint8_t linear[4] = {0x00, 0x01, 0x86, 0xa0}; /* 100000: codes are light */
    static const uint8_t usual[4] = {0x00, 0x00, 0xb1, 0x8f};  /* 45455 */
    static const uint8_t intent[1] = {0};
    const png_options rgb = {.bit_depth = 8, .color_type = 2};
    uint8_t plain[3];
    surface s;
    if (!dp_media_can_decode(DP_MEDIA_PNG)) {
        skip();
    }
    media_pattern(20, 30, 64, 48, plain);
    made_media media = media_png_add(media_png(64, 48, &rgb), "gAMA", linear, 4);
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    const uint8_t *got = surface_row(&s, 30) + 80;
    assert_true(got[0] > plain[0] + 50 && got[2] > plain[2] + 50);
    assert_int_equal(got[3], 255);
    surface_drop(&s);
    media = media_png_add(media_png(64, 48, &rgb), "gAMA", usual, 4);
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    assert_memory_equal(surface_row(&s, 30) + 80, plain, 3);
    surface_drop(&s);
    media =
        media_png_add(media_png_add(media_png(64, 48, &rgb), "gAMA", linear, 4), "sRGB", intent, 1);
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    assert_memory_equal(surface_row(&s, 30) + 80, plain, 3);
    surface_drop(&s);
}

static void check_planes(render_rig *rig, uint32_t width, uint32_t height,
                         const decode_hints *hints)
{
    made_media media = media_jpeg(width, height, &(jpeg_options){0});
    picture p;
    assert_int_equal(rig_picture(rig, &media, hints, &p), DP_OK);
    assert_int_equal(p.kind, PICTURE_YCBCR);
    assert_int_equal(picture_check(&p, dp_buf_size(p.buf)), DP_OK);
    assert_int_equal(p.planes[0].width, p.width);
    for (uint32_t y = 0; y < p.height; y++) {
        for (uint32_t x = 0; x < p.width; x++) {
            uint8_t rgb[3];
            media_pattern(x, y, p.width, p.height, rgb);
            const double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            const uint8_t got =
                p.bytes[p.planes[0].offset_bytes + y * p.planes[0].stride_bytes + x];
            assert_true(got - luma < 24 && luma - got < 24);
        }
    }
    picture_drop(&p);
}

static void planes_of_a_jpeg_come_at_every_scale(void **state)
{
    if (!dp_media_can_decode(DP_MEDIA_JPEG)) {
        skip();
    }
    for (uint32_t n = 1; n <= 8; n++) {
        const decode_hints hints = {
            .width = 203 * n / 12, .height = 117 * n / 12, .want_planes = true};
        check_planes(*state, 203, 117, &hints);
    }
    check_planes(*state, 1, 1, &(decode_hints){.want_planes = true});
    check_planes(*state, 17, 3, &(decode_hints){.want_planes = true});
}

static void planes_are_not_given_where_colours_need_work(void **state)
{
    const decode_hints hints = {.want_planes = true};
    size_t size_bytes;
    uint8_t *profile = media_profile_rgb(&size_bytes);
    picture p;
    if (!dp_media_can_decode(DP_MEDIA_JPEG)) {
        free(profile);
        skip();
    }
    made_media media = media_jpeg(32, 32, &(jpeg_options){.cmyk = true});
    assert_int_equal(rig_picture(*state, &media, &hints, &p), DP_OK);
    assert_int_equal(p.kind, PICTURE_RGBA);
    picture_drop(&p);
    media = media_jpeg(32, 32, &(jpeg_options){.gray = true});
    assert_int_equal(rig_picture(*state, &media, &hints, &p), DP_OK);
    assert_int_equal(p.kind, PICTURE_RGBA);
    picture_drop(&p);
    if (profile != NULL) {
        media = media_jpeg_add_icc(media_jpeg(32, 32, &(jpeg_options){0}), profile, size_bytes);
        assert_int_equal(rig_picture(*state, &media, &hints, &p), DP_OK);
        assert_int_equal(p.kind, PICTURE_RGBA);
        picture_drop(&p);
    }
    free(profile);
}

static void avif_is_near_and_keeps_its_alpha(void **state)
{
    made_media media = media_avif(64, 48, &(avif_options){.alpha = true});
    surface s;
    if (media.bytes == NULL) {
        skip();
    }
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    for (uint32_t x = 0; x < 64; x += 7) {
        uint8_t rgb[3];
        media_pattern(x, 8, 64, 48, rgb);
        for (int c = 0; c < 3; c++) {
            assert_true(abs(surface_row(&s, 8)[4 * x + (uint32_t)c] - rgb[c]) < 25);
        }
    }
    assert_int_equal(surface_row(&s, 2)[3], 255);
    assert_int_equal(surface_row(&s, 46)[3], 0);
    surface_drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(png_and_webp_orientations_are_read),
        RIG_TEST(avif_turns_become_orientations),
        RIG_TEST(colours_of_a_profile_become_srgb),
        RIG_TEST(inks_are_shown_as_their_profile_says),
        RIG_TEST(a_profile_that_makes_no_sense_is_ignored),
        RIG_TEST(gamma_is_corrected_where_nothing_better_is_said),
        RIG_TEST(planes_of_a_jpeg_come_at_every_scale),
        RIG_TEST(planes_are_not_given_where_colours_need_work),
        RIG_TEST(avif_is_near_and_keeps_its_alpha),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
