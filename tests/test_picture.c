/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures: where their parts lie, and that a description written by an enemy is refused before it
 * is followed.
 */
#include "render_rig.h"

static void parts_lie_within_their_block(void **state)
{
    render_rig *rig = *state;
    picture p;
    assert_int_equal(picture_take(&rig->task, 7, 5, 1, &p), DP_OK);
    assert_int_equal(dp_buf_size(p.buf), 7 * 5 * 4);
    assert_int_equal(picture_check(&p, dp_buf_size(p.buf)), DP_OK);
    assert_int_equal(picture_check(&p, dp_buf_size(p.buf) - 1), DP_ERR_FORMAT);
    picture_drop(&p);
    assert_null(p.buf);
    assert_int_equal(picture_take(&rig->task, 7, 5, 3, &p), DP_OK);
    assert_int_equal(picture_check(&p, dp_buf_size(p.buf)), DP_OK);
    assert_int_equal(picture_check(&p, dp_buf_size(p.buf) - 1), DP_ERR_FORMAT);
    const surface last = picture_frame(&p, 2);
    assert_ptr_equal(last.pixels + surface_bytes(&last), (uint8_t *)picture_durations_ms(&p));
    assert_int_equal(picture_durations_ms(&p)[2], 0);
    picture_drop(&p);
}

static void planes_lie_apart(void **state)
{
    render_rig *rig = *state;
    static const uint32_t chroma[3][2] = {{7, 5}, {4, 5}, {4, 3}};
    for (int i = 0; i < 3; i++) {
        picture p;
        assert_int_equal(picture_take_planes(&rig->task, 7, 5, chroma[i], &p), DP_OK);
        assert_int_equal(picture_check(&p, dp_buf_size(p.buf)), DP_OK);
        for (int k = 0; k < 2; k++) {
            const picture_plane *plane = &p.planes[k];
            assert_true(plane->offset_bytes +
                            plane->stride_bytes * (plane->height + PICTURE_PLANE_ROWS) <=
                        p.planes[k + 1].offset_bytes);
        }
        picture_drop(&p);
    }
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        picture evil = good;                                                                       \
        evil.change;                                                                               \
        assert_int_equal(picture_check(&evil, size_bytes), DP_ERR_FORMAT);                         \
    } while (0)

static void descriptions_of_frames_by_an_enemy_are_refused(void **state)
{
    render_rig *rig = *state;
    picture good;
    assert_int_equal(picture_take(&rig->task, 7, 5, 3, &good), DP_OK);
    const size_t size_bytes = dp_buf_size(good.buf);
    REFUSED(kind = (picture_kind)7);
    REFUSED(width = 0);
    REFUSED(height = 0);
    REFUSED(width = UINT32_MAX);
    REFUSED(height = RENDER_SOURCE_SIDE_MAX + 1);
    REFUSED(height = 6);
    REFUSED(frame_count = 0);
    REFUSED(frame_count = 4);
    REFUSED(frame_count = PICTURE_FRAMES_MAX + 1);
    REFUSED(frame_count = UINT32_MAX);
    REFUSED(frame_bytes = 0);
    REFUSED(frame_bytes = good.frame_bytes + 4);
    REFUSED(frame_bytes = SIZE_MAX);
    REFUSED(durations_offset_bytes = good.durations_offset_bytes + 4);
    REFUSED(durations_offset_bytes = good.durations_offset_bytes - 4); /* over the last frame */
    REFUSED(durations_offset_bytes = good.durations_offset_bytes + 1);
    REFUSED(durations_offset_bytes = SIZE_MAX - 3);
    picture_drop(&good);
}

static void descriptions_of_planes_by_an_enemy_are_refused(void **state)
{
    render_rig *rig = *state;
    picture good;
    assert_int_equal(picture_take_planes(&rig->task, 40, 30, (const uint32_t[2]){20, 15}, &good),
                     DP_OK);
    const size_t size_bytes = dp_buf_size(good.buf);
    REFUSED(frame_count = 2);
    for (int i = 0; i < 3; i++) {
        REFUSED(planes[i].offset_bytes = size_bytes);
        REFUSED(planes[i].offset_bytes = SIZE_MAX);
        REFUSED(planes[i].stride_bytes = 19);
        REFUSED(planes[i].stride_bytes = SIZE_MAX);
        REFUSED(planes[i].stride_bytes = SIZE_MAX / 8);
        REFUSED(planes[i].width = 39);
        REFUSED(planes[i].height = UINT32_MAX);
        REFUSED(planes[i].height = 0);
    }
    good.planes[1].width = good.planes[2].width = 40;
    REFUSED(height = 30); /* halved in height alone */
    picture_drop(&good);
}

static void a_picture_that_cannot_be_taken_has_words(void **state)
{
    render_rig *rig = *state;
    picture p;
    /* 9 TB: more than the pool would ask a machine for. */
    assert_int_not_equal(picture_take(&rig->task, 65535, 65535, PICTURE_FRAMES_MAX, &p), DP_OK);
    assert_true(rig->task.message[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(parts_lie_within_their_block),
        RIG_TEST(planes_lie_apart),
        RIG_TEST(descriptions_of_frames_by_an_enemy_are_refused),
        RIG_TEST(descriptions_of_planes_by_an_enemy_are_refused),
        RIG_TEST(a_picture_that_cannot_be_taken_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
