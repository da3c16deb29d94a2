/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each codec with bad files: too large by the header, late, cut short, with bits turned.  Nothing
 * may crash, nothing may stay held (every test's teardown), and what fails says why.  The
 * sanitizers give this test its teeth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media_more.h"
#include "pool/os.h"
#include "render_rig.h"

static uint32_t seed = 7;

static uint32_t random_number(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void pixels_are_refused_by_the_header(void **state)
{
    render_rig *rig = *state;
    made_media media = media_png_header(30000, 30000);
    surface s;
    if (!dp_media_can_decode(DP_MEDIA_PNG)) {
        skip();
    }
    assert_int_equal(rig_decode(rig, &media, NULL, &s), DP_ERR_TOO_LARGE);
    assert_string_equal(rig->task.message, "30000 x 30000 pixels, at most 40000000 are taken");
}

static made_media one_of_each(dp_media_format format)
{
    switch (format) {
    case DP_MEDIA_JPEG:
        return media_jpeg(90, 70, &(jpeg_options){.orientation = 6});
    case DP_MEDIA_PNG:
        return media_png(90, 70, &(png_options){.bit_depth = 8, .color_type = 6});
    case DP_MEDIA_WEBP:
        return media_webp(90, 70, &(webp_options){.alpha = true});
    case DP_MEDIA_GIF:
        return media_gif(90, 70, &(gif_options){.transparent = true});
    case DP_MEDIA_AVIF:
        return media_avif(90, 70, &(avif_options){.alpha = true, .turns = 1});
    default:
        return media_text(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 90 70'>"
            "<style>.a{fill:#123}</style><defs><linearGradient id='g'>"
            "<stop offset='0' stop-color='red'/></linearGradient></defs>"
            "<g transform='scale(2)'><rect class='a' width='9' height='9'/>"
            "<path d='M0 0 L20 20 Q5 5 1 9z' fill='url(#g)'/>"
            "<text y='9'>a</text></g></svg>");
    }
}

static made_media with_profile(dp_media_format format)
{
    size_t size_bytes;
    uint8_t *profile =
        format == DP_MEDIA_JPEG ? media_profile_inks(&size_bytes) : media_profile_rgb(&size_bytes);
    made_media media = format == DP_MEDIA_JPEG
                           ? media_jpeg(40, 30, &(jpeg_options){.cmyk = true, .adobe = true})
                           : media_png(40, 30, &(png_options){.bit_depth = 8, .color_type = 2});
    if (profile != NULL && media.bytes != NULL) {
        media = format == DP_MEDIA_JPEG ? media_jpeg_add_icc(media, profile, size_bytes)
                                        : media_png_add_icc(media, profile, size_bytes);
    }
    free(profile);
    return media;
}

#define KINDS (DP_MEDIA_FORMAT_COUNT + 9)

/* One of each format, and then what takes another way through a decoder. */
static made_media kind(int i)
{
    if (i < DP_MEDIA_FORMAT_COUNT) {
        return one_of_each((dp_media_format)i);
    }
    switch (i - DP_MEDIA_FORMAT_COUNT) {
    case 0:
        return media_gif_motion(2);
    case 1:
        return media_gif_motion(3);
    case 2:
        return media_webp_motion(90, 70, 4);
    case 3:
        return media_avif(48, 32, &(avif_options){.frames = 3});
    case 4:
        return media_png(90, 70,
                         &(png_options){.bit_depth = 16, .color_type = 6, .interlaced = true});
    case 5:
        return media_png(90, 70, &(png_options){.bit_depth = 8, .color_type = 2});
    case 6:
        return media_jpeg(90, 70, &(jpeg_options){.progressive = true});
    case 7:
        return with_profile(DP_MEDIA_JPEG);
    default:
        return with_profile(DP_MEDIA_PNG);
    }
}

static void every_raster_format_obeys_the_pixel_limit(void **state)
{
    static const dp_media_format formats[] = {DP_MEDIA_JPEG, DP_MEDIA_PNG, DP_MEDIA_WEBP,
                                              DP_MEDIA_GIF, DP_MEDIA_AVIF};
    render_rig *rig = *state;
    for (size_t i = 0; i < 5; i++) {
        made_media media = one_of_each(formats[i]);
        surface s;
        if (media.bytes == NULL || !dp_media_can_decode(formats[i])) {
            media_free(&media);
            continue;
        }
        rig->task.input_pixels_max = 90 * 70 - 1;
        assert_int_equal(rig_decode(rig, &media, NULL, &s), DP_ERR_TOO_LARGE);
        assert_string_equal(rig->task.message, "90 x 70 pixels, at most 6299 are taken");
        media = one_of_each(formats[i]);
        rig->task.input_pixels_max = 90 * 70;
        assert_int_equal(rig_decode(rig, &media, NULL, &s), DP_OK);
        surface_drop(&s);
    }
}

static void a_late_job_is_stopped_in_the_decoder(void **state)
{
    render_rig *rig = *state;
    for (int f = DP_MEDIA_JPEG; f < DP_MEDIA_FORMAT_COUNT; f++) {
        made_media media = one_of_each((dp_media_format)f);
        const decode_hints hints = {.width = 90, .height = 70};
        decoder *d;
        picture p;
        rig->task.deadline_ns = 0;
        rig->task.message[0] = '\0';
        if (dp_media_can_decode((dp_media_format)f)) {
            assert_int_equal(codec_open(&rig->task, rig_bytes(&media), &d), DP_OK);
            rig->task.deadline_ns = 1;
            /* Past the front door's own check, to the codec's. */
            const dp_status status = d->codec->decode(d, &hints, &p);
            if (status == DP_OK) {
                assert_true(d->info.drawing); /* one call of librsvg cannot be stopped */
                picture_drop(&p);
            } else {
                assert_int_equal(status, DP_ERR_TIMEOUT);
            }
            codec_close(d);
        }
        media_free(&media);
    }
}

static void a_late_job_is_stopped_in_the_encoder(void **state)
{
    static const dp_media_format formats[] = {DP_MEDIA_JPEG, DP_MEDIA_PNG, DP_MEDIA_WEBP};
    render_rig *rig = *state;
    const encode_hints hints = {0};
    surface s;
    dp_buf *out;
    assert_int_equal(surface_take(&rig->task, 64, 64, &s), DP_OK);
    memset(s.pixels, 99, dp_buf_size(s.buf));
    rig->task.deadline_ns = 1;
    for (size_t i = 0; i < 3; i++) {
        if (dp_media_can_decode(formats[i])) {
            assert_int_equal(rig_encode(rig, formats[i], &s, &hints, &out), DP_ERR_TIMEOUT);
        }
    }
    surface_drop(&s);
}

/* Decodes and drops; an error must have words. */
static void try_bytes(render_rig *rig, const uint8_t *bytes, size_t size_bytes)
{
    /* A block of exactly this size, so that a read beyond its end is seen. */
    made_media media = {malloc(size_bytes == 0 ? 1 : size_bytes), size_bytes};
    const uint32_t target[2] = {20, 16};
    decode_hints hints = {.width = target[0], .height = target[1]};
    picture p;
    assert_non_null(media.bytes);
    memcpy(media.bytes, bytes, size_bytes);
    rig->task.deadline_ns = os_clock_ns() + UINT64_C(5000000000);
    hints.want_planes = random_number() % 2 == 0;
    hints.frames_max = random_number() % 2 == 0 ? 1 : 8;
    const dp_status status = rig_picture(rig, &media, &hints, &p);
    if (status == DP_OK) {
        assert_int_equal(picture_check(&p, dp_buf_size(p.buf)), DP_OK);
        picture_drop(&p);
    } else {
        assert_true(rig->task.message[0] != '\0');
    }
}

static void files_cut_short_never_crash(void **state)
{
    for (int f = DP_MEDIA_JPEG; f < KINDS; f++) {
        made_media media = kind(f);
        const size_t step = media.size_bytes / 150 + 1;
        for (size_t length = 0; length < media.size_bytes; length += step) {
            try_bytes(*state, media.bytes, length);
        }
        media_free(&media);
    }
}

static void a_file_cut_short_is_an_error(void **state)
{
    for (int f = DP_MEDIA_JPEG; f < DP_MEDIA_FORMAT_COUNT; f++) {
        made_media media = one_of_each((dp_media_format)f);
        surface s;
        media.size_bytes = media.size_bytes * 2 / 3;
        if (dp_media_can_decode((dp_media_format)f)) {
            assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_ERR_FORMAT);
        } else {
            media_free(&media);
        }
    }
}

static void files_with_turned_bits_never_crash(void **state)
{
    print_message("seed %u\n", seed);
    for (int f = DP_MEDIA_JPEG; f < KINDS; f++) {
        made_media media = kind(f);
        for (int i = 0; i < 200 && media.bytes != NULL; i++) {
            uint8_t *copy = malloc(media.size_bytes);
            assert_non_null(copy);
            memcpy(copy, media.bytes, media.size_bytes);
            for (uint32_t n = random_number() % 8 + 1; n > 0; n--) {
                copy[random_number() % media.size_bytes] ^= (uint8_t)(1u << random_number() % 8);
            }
            try_bytes(*state, copy, media.size_bytes);
            free(copy);
        }
        media_free(&media);
    }
}

/* The n-th allocation of our own fails, for every n until none is left to fail. */
static void decoders_survive_every_failing_allocation(void **state)
{
    render_rig *rig = *state;
    for (int f = DP_MEDIA_JPEG; f < KINDS; f++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            const decode_hints hints = {.frames_max = 8};
            made_media media = kind(f);
            picture p;
            os_malloc_fail_nth(n);
            const dp_status status = rig_picture(rig, &media, &hints, &p);
            fired = os_malloc_fail_nth(0) == 0;
            if (status == DP_OK) {
                picture_drop(&p);
            } else {
                assert_true(rig->task.message[0] != '\0');
            }
            assert_int_equal(rig_used_bytes(rig), 0);
            assert_true(n < 1000);
        }
    }
}

/* Two frames, so that a format that can move does. */
static picture two_frames(render_rig *rig)
{
    picture p;
    assert_int_equal(picture_take(&rig->task, 40, 30, 2, &p), DP_OK);
    memset(p.bytes, 0, p.frame_bytes);
    memset(p.bytes + p.frame_bytes, 255, p.frame_bytes);
    picture_durations_ms(&p)[0] = picture_durations_ms(&p)[1] = 50;
    return p;
}

static void encoders_survive_every_failing_allocation(void **state)
{
    static const dp_media_format formats[] = {DP_MEDIA_JPEG, DP_MEDIA_PNG, DP_MEDIA_WEBP};
    const encode_hints hints = {0};
    render_rig *rig = *state;
    picture p = two_frames(rig);
    const uint64_t held = rig_used_bytes(rig);

    for (size_t f = 0; f < 3; f++) {
        bool fired = dp_media_can_decode(formats[f]);
        for (uint64_t n = 1; fired; n++) {
            dp_buf *out;
            rig->task.message[0] = '\0';
            os_malloc_fail_nth(n);
            const dp_status status = codec_encode(&rig->task, formats[f], &p, &hints, &out);
            fired = os_malloc_fail_nth(0) == 0;
            if (status == DP_OK) {
                dp_put(out);
            } else {
                assert_true(rig->task.message[0] != '\0');
            }
            assert_int_equal(rig_used_bytes(rig), held);
            assert_true(n < 1000);
        }
    }
    picture_drop(&p);
}

static void a_late_animation_is_stopped_in_the_encoder(void **state)
{
    const encode_hints hints = {0};
    render_rig *rig = *state;
    picture p = two_frames(rig);
    dp_buf *out;

    rig->task.deadline_ns = 1;
    if (codec_can_move(DP_MEDIA_WEBP)) {
        assert_int_equal(codec_encode(&rig->task, DP_MEDIA_WEBP, &p, &hints, &out), DP_ERR_TIMEOUT);
    }
    picture_drop(&p);
}

/* An orientation tag in every damaged form: offsets beyond the end, no entries, another type. */
static void damaged_exif_never_crashes(void **state)
{
    made_media media = media_jpeg(16, 8, &(jpeg_options){.orientation = 5});
    if (!dp_media_can_decode(DP_MEDIA_JPEG)) {
        skip();
    }
    for (size_t at = 20; at < 60; at++) {
        for (int value = 0; value < 256; value += 51) {
            const uint8_t kept = media.bytes[at];
            media.bytes[at] = (uint8_t)value;
            try_bytes(*state, media.bytes, media.size_bytes);
            media.bytes[at] = kept;
        }
    }
    media_free(&media);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(pixels_are_refused_by_the_header),
        RIG_TEST(every_raster_format_obeys_the_pixel_limit),
        RIG_TEST(a_late_job_is_stopped_in_the_decoder),
        RIG_TEST(a_late_job_is_stopped_in_the_encoder),
        RIG_TEST(files_cut_short_never_crash),
        RIG_TEST(a_file_cut_short_is_an_error),
        RIG_TEST(files_with_turned_bits_never_crash),
        RIG_TEST(a_late_animation_is_stopped_in_the_encoder),
        RIG_TEST(encoders_survive_every_failing_allocation),
        RIG_TEST(decoders_survive_every_failing_allocation),
        RIG_TEST(damaged_exif_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
