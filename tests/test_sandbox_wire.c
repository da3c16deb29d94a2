/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is believed of a worker: a sound reply, and nothing that differs from it in one word.
 */
#include <string.h>

#include "cm.h"
#include "render/sandbox_wire.h"

#define PLACE_BYTES ((size_t)1 << 20)

static const wire_expected opened = {
    .op = WIRE_OPEN, .job = 7, .place_size_bytes = PLACE_BYTES, .input_pixels_max = 1000000};
static const wire_expected decoded = {.op = WIRE_DECODE,
                                      .job = 7,
                                      .place_size_bytes = PLACE_BYTES,
                                      .input_pixels_max = 1000000,
                                      .hints = {.width = 20, .height = 10, .want_planes = true},
                                      .info = {.width = 80, .height = 40, .orientation = 1}};

static wire_reply open_reply(void)
{
    return (wire_reply){.version = WIRE_VERSION,
                        .op = WIRE_OPEN,
                        .job = 7,
                        .orientation = 6,
                        .source_width = 80,
                        .source_height = 40};
}

static wire_reply picture_reply(uint32_t width, uint32_t height)
{
    wire_reply reply = {.version = WIRE_VERSION, .op = WIRE_DECODE, .job = 7};
    const picture p = {.kind = PICTURE_RGBA,
                       .width = width,
                       .height = height,
                       .frame_count = 1,
                       .frame_bytes = (size_t)width * height * 4};
    wire_reply_set_picture(&reply, &p);
    reply.used_bytes = p.frame_bytes;
    return reply;
}

static bool believed(wire_reply reply, const wire_expected *expected)
{
    return wire_reply_check(&reply, sizeof reply, expected);
}

static void sound_replies_are_believed(void **state)
{
    (void)state;
    assert_true(believed(open_reply(), &opened));
    assert_true(believed(picture_reply(20, 10), &decoded));
    assert_true(believed(picture_reply(80, 40), &decoded));
    wire_reply bytes = {.version = WIRE_VERSION, .op = WIRE_DECODE, .job = 7, .kind = WIRE_BYTES};
    bytes.used_bytes = PLACE_BYTES;
    assert_true(believed(bytes, &decoded));
    wire_reply refusal = {
        .version = WIRE_VERSION, .op = WIRE_OPEN, .job = 7, .status = DP_ERR_FORMAT};
    assert_true(believed(refusal, &opened));
}

static void a_reply_of_another_size_is_not(void **state)
{
    (void)state;
    wire_reply reply = open_reply();
    assert_false(wire_reply_check(&reply, sizeof reply - 1, &opened));
    assert_false(wire_reply_check(&reply, sizeof reply + 1, &opened));
    assert_false(wire_reply_check(&reply, 0, &opened));
}

/* Each line spoils one member of a reply that is else sound. */
static void one_wrong_word_of_an_opening_is_enough(void **state)
{
    (void)state;
#define SPOILT(member, value)                                                                      \
    do {                                                                                           \
        wire_reply reply = open_reply();                                                           \
        reply.member = (value);                                                                    \
        assert_false(believed(reply, &opened));                                                    \
    } while (0)
    SPOILT(version, WIRE_VERSION + 1);
    SPOILT(op, WIRE_DECODE);
    SPOILT(job, 8);
    SPOILT(status, DP_STATUS_COUNT);
    SPOILT(status, UINT32_MAX);
    SPOILT(kind, WIRE_KIND_COUNT);
    SPOILT(filtered, 2);
    SPOILT(copied_bytes, PLACE_BYTES + 1);
    SPOILT(orientation, 0);
    SPOILT(orientation, 9);
    SPOILT(drawing, 2);
    SPOILT(source_width, 0);
    SPOILT(source_width, RENDER_SOURCE_SIDE_MAX + 1);
    SPOILT(source_height, 0);
    SPOILT(source_height, UINT32_MAX);
    SPOILT(source_height, 1000000 / 80 + 1);
#undef SPOILT
}

static void one_wrong_word_of_a_picture_is_enough(void **state)
{
    (void)state;
#define SPOILT(member, value)                                                                      \
    do {                                                                                           \
        wire_reply reply = picture_reply(20, 10);                                                  \
        reply.member = (value);                                                                    \
        assert_false(believed(reply, &decoded));                                                   \
    } while (0)
    SPOILT(kind, WIRE_NOTHING);
    SPOILT(used_bytes, 0);
    SPOILT(used_bytes, 799);
    SPOILT(used_bytes, PLACE_BYTES + 1);
    SPOILT(used_bytes, UINT64_MAX);
    SPOILT(picture_kind, 2);
    SPOILT(picture_kind, PICTURE_YCBCR);
    SPOILT(width, 0);
    SPOILT(width, 19);
    SPOILT(width, 81);
    SPOILT(height, UINT32_MAX);
    SPOILT(frame_count, 0);
    SPOILT(frame_count, 2);
    SPOILT(frame_bytes, 796);
    SPOILT(frame_bytes, UINT64_MAX);
#undef SPOILT
}

static void a_drawing_is_exactly_as_large_as_asked(void **state)
{
    (void)state;
    wire_expected drawing = decoded;
    drawing.info.drawing = true;
    assert_true(believed(picture_reply(20, 10), &drawing));
    assert_false(believed(picture_reply(21, 10), &drawing));
    assert_false(believed(picture_reply(20, 9), &drawing));
}

static void planes_are_believed_where_they_lie_inside_and_were_asked_for(void **state)
{
    (void)state;
    const picture p = {.kind = PICTURE_YCBCR,
                       .width = 20,
                       .height = 10,
                       .frame_count = 1,
                       .planes = {{0, 64, 20, 10}, {640, 64, 10, 5}, {960, 64, 10, 5}}};
    wire_reply reply = picture_reply(20, 10);
    wire_reply_set_picture(&reply, &p);
    reply.used_bytes = 1280;
    assert_true(believed(reply, &decoded));
    wire_expected plain = decoded;
    plain.hints.want_planes = false;
    assert_false(believed(reply, &plain));
    wire_reply outside = reply;
    outside.planes[2].offset_bytes = 961;
    assert_false(believed(outside, &decoded));
    outside = reply;
    outside.planes[0].stride_bytes = UINT64_MAX / 2;
    assert_false(believed(outside, &decoded));
}

static void an_animation_keeps_to_the_frames_that_were_asked_for(void **state)
{
    (void)state;
    wire_expected moving = decoded;
    moving.hints.frames_max = 3;
    wire_reply reply = picture_reply(20, 10);
    reply.frame_count = 3;
    reply.durations_offset_bytes = 2400;
    reply.used_bytes = 2412;
    assert_true(believed(reply, &moving));
    reply.durations_offset_bytes = 2404;
    assert_false(believed(reply, &moving));
    reply.durations_offset_bytes = 2396;
    assert_false(believed(reply, &moving));
    reply.durations_offset_bytes = 2400;
    moving.hints.frames_max = 2;
    assert_false(believed(reply, &moving));
}

static void words_of_a_worker_are_tamed(void **state)
{
    (void)state;
    wire_reply reply = open_reply();
    memset(reply.message, 'x', sizeof reply.message);
    memcpy(reply.message, "a\nb\x1b[31m\xff", 9);
    assert_true(wire_reply_check(&reply, sizeof reply, &opened));
    assert_int_equal(strlen(reply.message), WIRE_MESSAGE_BYTES - 1);
    assert_memory_equal(reply.message, "a?b?[31m?", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_replies_are_believed),
        cmocka_unit_test(a_reply_of_another_size_is_not),
        cmocka_unit_test(one_wrong_word_of_an_opening_is_enough),
        cmocka_unit_test(one_wrong_word_of_a_picture_is_enough),
        cmocka_unit_test(a_drawing_is_exactly_as_large_as_asked),
        cmocka_unit_test(planes_are_believed_where_they_lie_inside_and_were_asked_for),
        cmocka_unit_test(an_animation_keeps_to_the_frames_that_were_asked_for),
        cmocka_unit_test(words_of_a_worker_are_tamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
