/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures that move: frames, times and loops come through, limits cut them, and a format that
 * cannot move gets the first one.
 */
#include <math.h>
#include <stdlib.h>

#include "dp_features.h"
#include "media_more.h"
#include "render_rig.h"

static const decode_hints all_frames = {.frames_max = PICTURE_FRAMES_MAX};

static const uint8_t *pixel(const picture *p, uint32_t frame, uint32_t x, uint32_t y)
{
    const surface s = picture_frame(p, frame);
    return surface_row(&s, y) + 4 * (size_t)x;
}

static picture gif_frames(render_rig *rig, unsigned disposal)
{
    made_media media = media_gif_motion(disposal);
    picture p;
    assert_int_equal(rig_picture(rig, &media, &all_frames, &p), DP_OK);
    assert_int_equal(p.frame_count, 3);
    assert_int_equal(p.loop_count, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(picture_durations_ms(&p)[i], 50);
    }
    assert_memory_equal(pixel(&p, 0, 2, 2), "\xff\x00\x00\xff", 4);
    assert_memory_equal(pixel(&p, 1, 2, 2), "\x00\xff\x00\xff", 4);
    assert_memory_equal(pixel(&p, 1, 1, 1), "\xff\x00\x00\xff", 4);
    assert_memory_equal(pixel(&p, 2, 6, 5), "\x00\x00\xff\xff", 4);
    return p;
}

static void a_gif_frame_is_disposed_of_as_it_asks(void **state)
{
    if (!dp_media_can_decode(DP_MEDIA_GIF)) {
        skip();
    }
    picture p = gif_frames(*state, 1); /* stays */
    assert_memory_equal(pixel(&p, 2, 2, 2), "\x00\xff\x00\xff", 4);
    picture_drop(&p);
    p = gif_frames(*state, 2); /* cleared */
    assert_memory_equal(pixel(&p, 2, 2, 2), "\x00\x00\x00\x00", 4);
    assert_memory_equal(pixel(&p, 2, 1, 1), "\xff\x00\x00\xff", 4);
    picture_drop(&p);
    p = gif_frames(*state, 3); /* what was before */
    assert_memory_equal(pixel(&p, 2, 2, 2), "\xff\x00\x00\xff", 4);
    picture_drop(&p);
}

static picture webp_frames(render_rig *rig, const decode_hints *hints)
{
    made_media media = media_webp_motion(40, 30, 5);
    picture p;
    assert_int_equal(rig_picture(rig, &media, hints, &p), DP_OK);
    return p;
}

static void webp_frames_come_with_their_times_and_loops(void **state)
{
    if (!DP_HAVE_WEBPDEMUX || !DP_HAVE_WEBPMUX) {
        skip();
    }
    picture p = webp_frames(*state, &all_frames);
    assert_int_equal(p.frame_count, 5);
    assert_int_equal(p.loop_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(picture_durations_ms(&p)[i], 30 + 10 * i);
        assert_int_equal(pixel(&p, i, 7, 9)[0], 50 * i);
    }
    picture_drop(&p);
}

static void frames_are_kept_up_to_the_limits(void **state)
{
    if (!DP_HAVE_WEBPDEMUX || !DP_HAVE_WEBPMUX) {
        skip();
    }
    picture p = webp_frames(*state, &(decode_hints){.frames_max = 3});
    assert_int_equal(p.frame_count, 3);
    picture_drop(&p);
    p = webp_frames(*state, &(decode_hints){.frames_max = 0});
    assert_int_equal(p.frame_count, 1);
    assert_null(picture_durations_ms(&p));
    picture_drop(&p);
    p = webp_frames(*state, &(decode_hints){.frames_max = 5, .bytes_max = 2 * 40 * 30 * 4 + 9});
    assert_int_equal(p.frame_count, 2);
    picture_drop(&p);
    p = webp_frames(*state, &(decode_hints){.frames_max = 5, .bytes_max = 1});
    assert_int_equal(p.frame_count, 1);
    picture_drop(&p);
}

static void frames_are_shrunk_as_they_come(void **state)
{
    if (!DP_HAVE_WEBPDEMUX || !DP_HAVE_WEBPMUX) {
        skip();
    }
    picture p = webp_frames(*state, &(decode_hints){.width = 5, .height = 4, .frames_max = 5});
    assert_int_equal(p.width, 10);
    assert_int_equal(p.height, 10);
    assert_int_equal(p.frame_count, 5);
    assert_int_equal(pixel(&p, 4, 3, 3)[0], 200);
    picture_drop(&p);
}

static void too_many_pixels_in_all_frames_are_refused(void **state)
{
    render_rig *rig = *state;
    made_media media = media_webp_motion(40, 30, 5);
    picture p;
    if (!DP_HAVE_WEBPDEMUX || !DP_HAVE_WEBPMUX) {
        skip();
    }
    rig->task.input_pixels_max = 1200; /* one frame is fine, and so are four */
    assert_int_equal(rig_picture(rig, &media, &all_frames, &p), DP_ERR_TOO_LARGE);
    assert_string_equal(rig->task.message, "5 frames of 40 x 30 pixels are too many");
    media = media_webp_motion(40, 30, 5);
    assert_int_equal(rig_picture(rig, &media, &(decode_hints){.frames_max = 4}, &p), DP_OK);
    picture_drop(&p);
}

static void avif_sequences_keep_their_frames(void **state)
{
    made_media media = media_avif(48, 32, &(avif_options){.frames = 3});
    picture p;
    if (media.bytes == NULL) {
        skip();
    }
    assert_int_equal(rig_picture(*state, &media, &all_frames, &p), DP_OK);
    assert_int_equal(p.frame_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(picture_durations_ms(&p)[i], 40);
        assert_true(abs(pixel(&p, i, 20, 16)[2] - 60 * (int)i) < 12);
    }
    picture_drop(&p);
}

static void frames_are_turned_together(void **state)
{
    render_rig *rig = *state;
    if (!DP_HAVE_WEBPDEMUX || !DP_HAVE_WEBPMUX) {
        skip();
    }
    picture p = webp_frames(rig, &all_frames);
    assert_int_equal(picture_orient(&rig->task, &p, 6), DP_OK);
    assert_int_equal(p.width, 30);
    assert_int_equal(p.height, 40);
    assert_int_equal(p.frame_count, 5);
    assert_int_equal(p.loop_count, 5);
    assert_int_equal(picture_durations_ms(&p)[4], 70);
    assert_int_equal(pixel(&p, 4, 29, 39)[0], 200);
    assert_int_equal(picture_check(&p, dp_buf_size(p.buf)), DP_OK);
    picture_drop(&p);
}

static made_media encoded(render_rig *rig, dp_media_format format, const picture *p)
{
    const encode_hints hints = {0};
    dp_buf *out;
    assert_int_equal(codec_encode(&rig->task, format, p, &hints, &out), DP_OK);
    assert_int_equal(dp_media_sniff(dp_buf_data(out), dp_buf_size(out)), format);
    made_media made = {malloc(dp_buf_size(out)), dp_buf_size(out)};
    assert_non_null(made.bytes);
    memcpy(made.bytes, dp_buf_data(out), made.size_bytes);
    dp_put(out);
    return made;
}

static void what_moves_is_written_and_read_again(void **state)
{
    render_rig *rig = *state;
    if (!DP_HAVE_WEBPDEMUX || !DP_HAVE_WEBPMUX || !dp_media_can_decode(DP_MEDIA_GIF)) {
        skip();
    }
    assert_true(codec_can_move(DP_MEDIA_WEBP));
    picture p = gif_frames(rig, 2), again;
    made_media media = encoded(rig, DP_MEDIA_WEBP, &p);
    picture_drop(&p);
    assert_int_equal(rig_picture(rig, &media, &all_frames, &again), DP_OK);
    assert_int_equal(again.frame_count, 3);
    assert_int_equal(again.loop_count, 0);
    assert_int_equal(picture_durations_ms(&again)[1], 50);
    assert_true(pixel(&again, 0, 0, 0)[0] > 200);
    assert_int_equal(pixel(&again, 2, 3, 3)[3], 0);
    assert_true(pixel(&again, 2, 8, 7)[2] > 180);
    picture_drop(&again);
}

static void a_format_that_cannot_move_gets_the_first_frame(void **state)
{
    static const dp_media_format formats[] = {DP_MEDIA_PNG, DP_MEDIA_JPEG};
    if (!dp_media_can_decode(DP_MEDIA_GIF)) {
        skip();
    }
    picture p = gif_frames(*state, 1);
    for (int i = 0; i < 2; i++) {
        assert_false(codec_can_move(formats[i]));
        if (dp_media_can_decode(formats[i])) {
            made_media media = encoded(*state, formats[i], &p);
            surface s;
            assert_int_equal(rig_decode(*state, &media, NULL, &s), DP_OK);
            assert_true(surface_row(&s, 4)[4 * 4] > 240); /* red: the square is the second's */
            surface_drop(&s);
        }
    }
    picture_drop(&p);
}

static void times_that_make_no_sense_are_corrected(void **state)
{
    (void)state;
    assert_int_equal(codec_duration_ms(0), 100);
    assert_int_equal(codec_duration_ms(-5), 100);
    assert_int_equal(codec_duration_ms(10), 100);
    assert_int_equal(codec_duration_ms(20), 20);
    assert_int_equal(codec_duration_ms(1e12), 60000);
    assert_int_equal(codec_duration_ms((double)NAN), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_gif_frame_is_disposed_of_as_it_asks),
        RIG_TEST(webp_frames_come_with_their_times_and_loops),
        RIG_TEST(frames_are_kept_up_to_the_limits),
        RIG_TEST(frames_are_shrunk_as_they_come),
        RIG_TEST(too_many_pixels_in_all_frames_are_refused),
        RIG_TEST(avif_sequences_keep_their_frames),
        RIG_TEST(frames_are_turned_together),
        RIG_TEST(what_moves_is_written_and_read_again),
        RIG_TEST(a_format_that_cannot_move_gets_the_first_frame),
        cmocka_unit_test(times_that_make_no_sense_are_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
