/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each codec with good files: what comes out is the picture that went in, whatever the file's
 * colour type, depth, order of rows or orientation.  A codec that this build lacks skips its tests
 * by name.
 */
#include <stdlib.h>

#include "dp_features.h"
#include "render_rig.h"

#define WIDTH  64u
#define HEIGHT 48u

#define NEED_CODEC(format)                                                                         \
    do {                                                                                           \
        if (!dp_media_can_decode(format)) {                                                        \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* Mean difference from the pattern, in codes; `gray`: red everywhere. */
static double distance(const surface *s, bool gray)
{
    double sum = 0;
    for (uint32_t y = 0; y < s->height; y++) {
        for (uint32_t x = 0; x < s->width; x++) {
            uint8_t rgb[3];
            media_pattern(x, y, s->width, s->height, rgb);
            for (int c = 0; c < 3; c++) {
                sum += abs(surface_row(s, y)[4 * x + (uint32_t)c] - (gray ? rgb[0] : rgb[c]));
            }
        }
    }
    return sum / (3.0 * s->width * s->height);
}

static void check_opaque(const surface *s)
{
    for (size_t i = 3; i < dp_buf_size(s->buf); i += 4) {
        assert_int_equal(s->pixels[i], 255);
    }
}

static void check_jpeg(render_rig *rig, const jpeg_options *options, double tolerance)
{
    made_media media = media_jpeg(WIDTH, HEIGHT, options);
    surface s;
    assert_int_equal(rig_decode(rig, &media, NULL, &s), DP_OK);
    assert_int_equal(s.width, WIDTH);
    assert_int_equal(s.height, HEIGHT);
    assert_true(distance(&s, options->gray) < tolerance);
    check_opaque(&s);
    surface_drop(&s);
}

static void jpeg_colours_come_out_right(void **state)
{
    NEED_CODEC(DP_MEDIA_JPEG);
    check_jpeg(*state, &(jpeg_options){0}, 4);
    check_jpeg(*state, &(jpeg_options){.progressive = true}, 4);
    check_jpeg(*state, &(jpeg_options){.gray = true}, 2);
    check_jpeg(*state, &(jpeg_options){.cmyk = true}, 3);
    check_jpeg(*state, &(jpeg_options){.cmyk = true, .adobe = true}, 3);
}

static void jpeg_is_scaled_while_decoded_but_never_below_the_target(void **state)
{
    made_media media = media_jpeg(640, 480, &(jpeg_options){0});
    const uint32_t target[2] = {70, 52};
    surface s;
    NEED_CODEC(DP_MEDIA_JPEG);
    assert_int_equal(rig_decode(*state, &media, target, &s), DP_OK);
    assert_true(s.width >= 140 && s.width < 240);
    assert_true(distance(&s, false) < 4);
    surface_drop(&s);
}

static void jpeg_orientation_is_read(void **state)
{
    render_rig *rig = *state;
    NEED_CODEC(DP_MEDIA_JPEG);
    for (unsigned orientation = 1; orientation <= 9; orientation++) {
        made_media media = media_jpeg(16, 8, &(jpeg_options){.orientation = orientation});
        decoder *d;
        assert_int_equal(codec_open(&rig->task, rig_bytes(&media), &d), DP_OK);
        assert_int_equal(d->info.orientation, orientation == 9 ? 1 : orientation);
        codec_close(d);
        media_free(&media);
    }
}

/* EXIF's own picture of the eight: row 0 and column 0 of the file are these sides of the scene. */
static void orientations_turn_as_exif_says(void **state)
{
    /* 2 x 1 in the file: A B.  As shown, top to bottom and left to right: */
    static const char *const shown[9] = {NULL, "AB", "BA", "BA", "AB", "AB", "AB", "BA", "BA"};
    render_rig *rig = *state;
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        picture p;
        assert_int_equal(picture_take(&rig->task, 2, 1, 1, &p), DP_OK);
        memcpy(p.bytes, "AAAABBBB", 8);
        assert_int_equal(picture_orient(&rig->task, &p, orientation), DP_OK);
        assert_int_equal(p.width, orientation < 5 ? 2 : 1);
        assert_int_equal(p.height, orientation < 5 ? 1 : 2);
        assert_int_equal(p.bytes[0], shown[orientation][0]);
        assert_int_equal(p.bytes[4], shown[orientation][1]);
        picture_drop(&p);
    }
    /* 1 x 2 in the file tells the vertical ones apart. */
    static const char *const tall[9] = {NULL, "AB", "AB", "BA", "BA", "AB", "BA", "BA", "AB"};
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        picture p;
        assert_int_equal(picture_take(&rig->task, 1, 2, 1, &p), DP_OK);
        memcpy(p.bytes, "AAAABBBB", 8);
        assert_int_equal(picture_orient(&rig->task, &p, orientation), DP_OK);
        assert_int_equal(p.bytes[0], tall[orientation][0]);
        assert_int_equal(p.bytes[4], tall[orientation][1]);
        picture_drop(&p);
    }
}

static void check_png(render_rig *rig, const png_options *options)
{
    const bool gray = options->color_type == 0 || options->color_type == 4;
    made_media media = media_png(WIDTH, HEIGHT, options);
    surface s;
    assert_int_equal(rig_decode(rig, &media, NULL, &s), DP_OK);
    assert_true(distance(&s, gray) == 0);
    assert_int_equal(surface_row(&s, 0)[3], 255);
    assert_int_equal(surface_row(&s, HEIGHT - 1)[3], options->color_type >= 4 ? 0 : 255);
    surface_drop(&s);
}

static void png_of_every_kind_is_exact(void **state)
{
    static const uint8_t types[] = {0, 2, 4, 6};
    NEED_CODEC(DP_MEDIA_PNG);
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        for (size_t i = 0; i < sizeof types; i++) {
            for (uint8_t depth = 8; depth <= 16; depth = (uint8_t)(depth + 8)) {
                check_png(*state, &(png_options){.bit_depth = depth,
                                                 .color_type = types[i],
                                                 .interlaced = interlaced != 0});
            }
        }
    }
}

static void png_palette_keeps_its_transparency(void **state)
{
    made_media media = media_png(5, 3, &(png_options){.bit_depth = 8, .color_type = 3});
    surface s;
    NEED_CODEC(DP_MEDIA_PNG);
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    assert_memory_equal(surface_row(&s, 2), "\x0a\x14\x1e\xff\xc8\x64\x32\x80", 8);
    surface_drop(&s);
}

static void webp_lossless_is_exact_and_lossy_is_near(void **state)
{
    made_media media = media_webp(WIDTH, HEIGHT, &(webp_options){.lossless = true});
    surface s;
    NEED_CODEC(DP_MEDIA_WEBP);
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    assert_true(distance(&s, false) == 0);
    surface_drop(&s);
    media = media_webp(WIDTH, HEIGHT, &(webp_options){.alpha = true});
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    assert_int_equal(surface_row(&s, 0)[3], 255);
    assert_int_equal(surface_row(&s, HEIGHT - 1)[3], 0);
    surface_drop(&s);
}

static void check_small_webp(render_rig *rig, uint32_t width, uint32_t height,
                             const webp_options *options)
{
    made_media media = media_webp(width, height, options);
    const uint32_t target[2] = {64, 48};
    surface s;
    assert_int_equal(rig_decode(rig, &media, target, &s), DP_OK);
    assert_in_range(s.width, 128, 192);
    assert_in_range(s.height, 96, 144);
    if (!options->alpha) {
        assert_true(distance(&s, false) < 5);
        check_opaque(&s);
    } else {
        assert_int_equal(surface_row(&s, 0)[3], 255);
        assert_int_equal(surface_row(&s, s.height - 1)[3], 0);
    }
    surface_drop(&s);
}

static void webp_is_scaled_while_decoded(void **state)
{
    NEED_CODEC(DP_MEDIA_WEBP);
    check_small_webp(*state, 640, 480, &(webp_options){0});
    check_small_webp(*state, 639, 481, &(webp_options){0});
    check_small_webp(*state, 640, 480, &(webp_options){.alpha = true});
    check_small_webp(*state, 640, 480, &(webp_options){.lossless = true});
}

static const uint8_t gif_colours[4][4] = {
    {255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}};

static void gif_rows_come_in_their_order(void **state)
{
    NEED_CODEC(DP_MEDIA_GIF);
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        made_media media = media_gif(13, 29, &(gif_options){.interlaced = interlaced != 0});
        surface s;
        assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
        for (uint32_t y = 0; y < 29; y++) {
            for (uint32_t x = 0; x < 13; x++) {
                assert_memory_equal(surface_row(&s, y) + 4 * x, gif_colours[(x + y) % 4], 4);
            }
        }
        surface_drop(&s);
    }
}

static void gif_frame_smaller_than_its_canvas_leaves_the_rest_clear(void **state)
{
    made_media media = media_gif(
        12, 10,
        &(gif_options){
            .left = 3, .top = 2, .frame_width = 4, .frame_height = 5, .transparent = true});
    surface s;
    NEED_CODEC(DP_MEDIA_GIF);
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    assert_int_equal(surface_row(&s, 0)[3], 0);
    assert_int_equal(surface_row(&s, 9)[3], 0);
    assert_memory_equal(surface_row(&s, 2) + 12, gif_colours[0], 4);
    assert_int_equal(surface_row(&s, 2)[4 * 4 + 3], 0); /* index 1 is transparent */
    assert_memory_equal(surface_row(&s, 2) + 20, gif_colours[2], 4);
    assert_int_equal(surface_row(&s, 2)[4 * 7 + 3], 0);
    surface_drop(&s);
}

static void gif_frame_beyond_its_canvas_is_cut(void **state)
{
    made_media media =
        media_gif(6, 6, &(gif_options){.left = 4, .top = 4, .frame_width = 9, .frame_height = 9});
    surface s;
    NEED_CODEC(DP_MEDIA_GIF);
    assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
    assert_int_equal(s.width, 6);
    assert_memory_equal(surface_row(&s, 4) + 16, gif_colours[0], 4);
    assert_memory_equal(surface_row(&s, 5) + 20, gif_colours[2], 4);
    surface_drop(&s);
}

/* What each encoder writes, its decoder reads again. */
static void round_trip(render_rig *rig, dp_media_format format, bool drawing, double tolerance)
{
    const encode_hints hints = {.drawing = drawing};
    surface in, out;
    dp_buf *encoded;
    assert_int_equal(surface_take(&rig->task, 120, 90, &in), DP_OK);
    for (uint32_t y = 0; y < in.height; y++) {
        for (uint32_t x = 0; x < in.width; x++) {
            media_pattern(x, y, in.width, in.height, surface_row(&in, y) + 4 * x);
            surface_row(&in, y)[4 * x + 3] = 255;
        }
    }
    assert_int_equal(rig_encode(rig, format, &in, &hints, &encoded), DP_OK);
    assert_int_equal(dp_buf_kind(encoded), DP_KIND_ENCODED);
    assert_int_equal(dp_media_sniff(dp_buf_data(encoded), dp_buf_size(encoded)), format);
    made_media media = {malloc(dp_buf_size(encoded)), dp_buf_size(encoded)};
    assert_non_null(media.bytes);
    memcpy(media.bytes, dp_buf_data(encoded), media.size_bytes);
    dp_put(encoded);
    surface_drop(&in);
    assert_int_equal(rig_decode(rig, &media, NULL, &out), DP_OK);
    assert_int_equal(out.width, 120);
    assert_true(distance(&out, false) <= tolerance);
    surface_drop(&out);
}

static void what_is_encoded_can_be_decoded(void **state)
{
    if (dp_media_can_decode(DP_MEDIA_PNG)) {
        round_trip(*state, DP_MEDIA_PNG, false, 0);
    }
    if (dp_media_can_decode(DP_MEDIA_WEBP)) {
        round_trip(*state, DP_MEDIA_WEBP, false, 4);
        round_trip(*state, DP_MEDIA_WEBP, true, 4);
    }
    if (dp_media_can_decode(DP_MEDIA_JPEG)) {
        round_trip(*state, DP_MEDIA_JPEG, false, 4);
    }
}

/* A picture whose JPEG is far larger than the first block: the sink grows in the middle. */
static void a_large_encoding_grows_its_block(void **state)
{
    render_rig *rig = *state;
    const encode_hints hints = {0};
    uint32_t seed = 1;
    surface in;
    dp_buf *encoded;
    NEED_CODEC(DP_MEDIA_JPEG);
    assert_int_equal(surface_take(&rig->task, 700, 500, &in), DP_OK);
    for (size_t i = 0; i < dp_buf_size(in.buf); i++) {
        seed = seed * 1664525u + 1013904223u;
        in.pixels[i] = (uint8_t)(seed >> 24);
    }
    assert_int_equal(rig_encode(rig, DP_MEDIA_JPEG, &in, &hints, &encoded), DP_OK);
    assert_true(dp_buf_size(encoded) > 100000);
    assert_true(dp_buf_capacity(encoded) <= dp_buf_size(encoded) / 7 * 8);
    dp_put(encoded);
    surface_drop(&in);
}

static void transparency_is_white_in_a_jpeg(void **state)
{
    render_rig *rig = *state;
    const encode_hints hints = {0};
    surface in, out;
    dp_buf *encoded;
    NEED_CODEC(DP_MEDIA_JPEG);
    assert_int_equal(surface_take(&rig->task, 16, 16, &in), DP_OK);
    memset(in.pixels, 0, dp_buf_size(in.buf));
    assert_int_equal(rig_encode(rig, DP_MEDIA_JPEG, &in, &hints, &encoded), DP_OK);
    made_media media = {malloc(dp_buf_size(encoded)), dp_buf_size(encoded)};
    assert_non_null(media.bytes);
    memcpy(media.bytes, dp_buf_data(encoded), media.size_bytes);
    dp_put(encoded);
    surface_drop(&in);
    assert_int_equal(rig_decode(rig, &media, NULL, &out), DP_OK);
    assert_int_equal(out.pixels[0], 255);
    surface_drop(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(jpeg_colours_come_out_right),
        RIG_TEST(jpeg_is_scaled_while_decoded_but_never_below_the_target),
        RIG_TEST(jpeg_orientation_is_read),
        RIG_TEST(orientations_turn_as_exif_says),
        RIG_TEST(png_of_every_kind_is_exact),
        RIG_TEST(png_palette_keeps_its_transparency),
        RIG_TEST(webp_lossless_is_exact_and_lossy_is_near),
        RIG_TEST(webp_is_scaled_while_decoded),
        RIG_TEST(gif_rows_come_in_their_order),
        RIG_TEST(gif_frame_smaller_than_its_canvas_leaves_the_rest_clear),
        RIG_TEST(gif_frame_beyond_its_canvas_is_cut),
        RIG_TEST(what_is_encoded_can_be_decoded),
        RIG_TEST(a_large_encoding_grows_its_block),
        RIG_TEST(transparency_is_white_in_a_jpeg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
