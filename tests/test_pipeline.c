/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fitting, and what happens when the first backend fails in the middle of a job.
 */
#include "pool/os.h"
#include "render/pipeline.h"
#include "render_rig.h"

static void fit(uint32_t width, uint32_t height, bool enlarge, uint32_t want_width,
                uint32_t want_height)
{
    const uint32_t source[2] = {width, height}, box[2] = {480, 270};
    uint32_t out[2];
    pipeline_fit(source, box, enlarge, out);
    assert_int_equal(out[0], want_width);
    assert_int_equal(out[1], want_height);
}

static void pictures_are_fitted_into_the_box_in_proportion(void **state)
{
    (void)state;
    fit(1920, 1080, false, 480, 270);
    fit(4000, 3000, false, 360, 270);
    fit(3000, 4000, false, 203, 270);
    fit(1000, 100, false, 480, 48);
    fit(65535, 1, false, 480, 1);
    fit(1, 65535, false, 1, 270);
    fit(481, 100, false, 480, 100);
}

static void only_drawings_are_enlarged(void **state)
{
    (void)state;
    fit(100, 50, false, 100, 50);
    fit(480, 270, false, 480, 270);
    fit(100, 50, true, 480, 240);
    fit(10, 10, true, 270, 270);
    fit(65535, 65535, true, 270, 270);
}

/* No two sizes may give a side beyond the box or of nothing. */
static void no_size_leaves_the_box(void **state)
{
    uint32_t seed = 3;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint32_t side[4], out[2];
        for (int k = 0; k < 4; k++) {
            seed = seed * 1664525u + 1013904223u;
            side[k] = (seed >> 12) % (k < 2 ? 65535u : 4096u) + 1;
        }
        pipeline_fit(side, side + 2, i % 2 == 0, out);
        assert_in_range(out[0], 1, side[2]);
        assert_in_range(out[1], 1, side[3]);
    }
}

/* A device that is lost in the middle of every job, as a driver would report it. */
static dp_status lose_device(backend *b, render_task *task, const surface *source,
                             const surface *target, dp_tier_id *tier)
{
    (void)b;
    (void)source;
    (void)target;
    (void)tier;
    return task_fail(task, DP_ERR_DEVICE, "cuda: the device was lost");
}

static void leave(backend *b)
{
    (void)b;
}

static void a_lost_device_is_replaced_and_the_result_says_so(void **state)
{
    static const backend_ops lost_ops = {.name = "cuda", .resize = lose_device, .close = leave};
    backend lost = {.ops = &lost_ops};
    char detail[BACKEND_DETAIL_BYTES];
    pipeline_backends backends = {.first = &lost};
    render_rig *rig = *state;
    dp_render_result result;
    dp_buf *source;

    made_media media = media_jpeg(300, 200, &(jpeg_options){0});
    if (media.bytes == NULL || !dp_media_can_decode(DP_MEDIA_WEBP)) {
        skip();
    }
    assert_int_equal(backend_cpu_open(rig->pool, detail, &backends.spare), DP_OK);
    const dp_request request = {.size_bytes = media.size_bytes, .need = DP_NEED_HOST};
    assert_int_equal(dp_get(rig->pool, &request, &source), DP_OK);
    assert_int_equal(dp_buf_write(source, 0, media.bytes, media.size_bytes), DP_OK);
    const dp_render_job job = {.source = source, .width_max = 100, .height_max = 100};
    assert_int_equal(pipeline_run(&rig->task, &backends, &job, &result), DP_OK);
    assert_string_equal(result.engine, "cpu (cuda failed)");
    assert_int_equal(result.surface_tier, DP_TIER_HOST);
    assert_int_equal(result.width, 100);
    assert_int_equal(result.height, 67);
    dp_put(result.picture);
    /* Without a spare the error stays one. */
    backends.spare = &lost;
    assert_int_equal(pipeline_run(&rig->task, &backends, &job, &result), DP_ERR_DEVICE);
    assert_string_equal(rig->task.message, "cuda: the device was lost");
    dp_put(source);
    media_free(&media);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_fitted_into_the_box_in_proportion),
        cmocka_unit_test(only_drawings_are_enlarged),
        cmocka_unit_test(no_size_leaves_the_box),
        RIG_TEST(a_lost_device_is_replaced_and_the_result_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
