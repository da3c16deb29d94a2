/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fitting and cutting, several outputs of one decode, and what happens when a device fails or
 * memory is refused in the middle of a job.
 */
#include <stdio.h>

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

static void cut(uint32_t width, uint32_t height, backend_cut want)
{
    const uint32_t source[2] = {width, height}, box[2] = {160, 90};
    backend_cut out;
    pipeline_cut(source, box, &out);
    assert_int_equal(out.x, want.x);
    assert_int_equal(out.y, want.y);
    assert_int_equal(out.width, want.width);
    assert_int_equal(out.height, want.height);
}

static void a_cut_is_the_largest_of_the_shape_and_in_the_middle(void **state)
{
    (void)state;
    cut(1600, 900, (backend_cut){0, 0, 1600, 900});
    cut(2000, 900, (backend_cut){200, 0, 1600, 900});
    cut(1600, 1000, (backend_cut){0, 50, 1600, 900});
    cut(16, 9, (backend_cut){0, 0, 16, 9});
    cut(1, 65535, (backend_cut){0, 32767, 1, 1});
    cut(65535, 1, (backend_cut){32766, 0, 2, 1});
    cut(1, 1, (backend_cut){0, 0, 1, 1});
}

static void no_cut_leaves_the_picture(void **state)
{
    uint32_t seed = 5;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint32_t side[4];
        backend_cut out;
        for (int k = 0; k < 4; k++) {
            seed = seed * 1664525u + 1013904223u;
            side[k] = (seed >> 12) % (k < 2 ? 65535u : 4096u) + 1;
        }
        pipeline_cut(side, side + 2, &out);
        assert_in_range(out.width, 1, side[0]);
        assert_in_range(out.height, 1, side[1]);
        assert_in_range(out.x, 0, side[0] - out.width);
        assert_in_range(out.y, 0, side[1] - out.height);
    }
}

/* ---- jobs, by the CPU and by devices that fail ---- */

static dp_buf *source_of(render_rig *rig, made_media *media)
{
    const dp_request request = {.size_bytes = media->size_bytes, .need = DP_NEED_HOST};
    dp_buf *source;
    assert_int_equal(dp_get(rig->pool, &request, &source), DP_OK);
    assert_int_equal(dp_buf_write(source, 0, media->bytes, media->size_bytes), DP_OK);
    media_free(media);
    return source;
}

static backend *cpu_of(render_rig *rig)
{
    char detail[BACKEND_DETAIL_BYTES];
    backend *cpu;
    assert_int_equal(backend_cpu_open(rig->pool, detail, &cpu), DP_OK);
    return cpu;
}

static pipeline pipeline_of(render_rig *rig, const dp_render_job *job)
{
    return (pipeline){.task = rig->task, .job = job, .reader = &decode_in_thread};
}

static void expect_size(const pipeline *p, unsigned index, uint32_t width, uint32_t height)
{
    assert_int_equal(p->result.pictures[index].width, width);
    assert_int_equal(p->result.pictures[index].height, height);
    assert_int_equal(p->result.pictures[index].frame_count, 1);
    assert_true(dp_buf_size(p->result.pictures[index].bytes) > 0);
}

#define NEED_CODECS(media)                                                                         \
    do {                                                                                           \
        if ((media).bytes == NULL || !dp_media_can_encode(DP_MEDIA_WEBP) ||                        \
            !dp_media_can_encode(DP_MEDIA_PNG)) {                                                  \
            media_free(&(media));                                                                  \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void one_decode_serves_every_output(void **state)
{
    render_rig *rig = *state;
    made_media media = media_jpeg(400, 200, &(jpeg_options){0});
    NEED_CODECS(media);
    dp_buf *source = source_of(rig, &media);
    const dp_render_job job = {
        .source = source,
        .outputs = {{.width = 100, .height = 100},
                    {.width = 60, .height = 60, .fit = DP_RENDER_COVER, .format = DP_MEDIA_PNG},
                    {.width = 30, .height = 90, .fit = DP_RENDER_EXACT, .format = DP_MEDIA_JPEG},
                    {.width = 100, .height = 100, .format = DP_MEDIA_JPEG},
                    {.width = 4000, .height = 4000, .format = DP_MEDIA_PNG},
                    {.width = 500, .height = 100, .fit = DP_RENDER_COVER, .format = DP_MEDIA_PNG},
                    {.width = 500, .height = 100, .fit = DP_RENDER_EXACT, .format = DP_MEDIA_PNG}},
        .output_count = 7};
    pipeline p = pipeline_of(rig, &job);
    assert_int_equal(pipeline_run(&p, cpu_of(rig), NULL), DP_OK);
    assert_int_equal(p.result.picture_count, 7);
    expect_size(&p, 0, 100, 50);
    expect_size(&p, 1, 60, 60);
    expect_size(&p, 2, 30, 90);
    expect_size(&p, 3, 100, 50);
    expect_size(&p, 4, 400, 200); /* never enlarged to fit */
    expect_size(&p, 5, 400, 80);  /* the largest cut of that shape */
    expect_size(&p, 6, 500, 100);
    assert_string_equal(p.result.engine, "cpu");
    assert_int_equal(p.result.source_width, 400);
    pipeline_drop_results(&p);
    dp_put(source);
}

static void outputs_of_the_same_pixels_share_them(void **state)
{
    render_rig *rig = *state;
    made_media media = media_png(40, 30, &(png_options){.bit_depth = 8, .color_type = 6});
    NEED_CODECS(media);
    dp_buf *source = source_of(rig, &media);
    const dp_render_job job = {
        .source = source,
        .outputs = {{.width = 20, .height = 20, .format = DP_MEDIA_PNG},
                    {.width = 20, .height = 20, .format = DP_MEDIA_WEBP},
                    {.width = 40, .height = 40, .format = DP_MEDIA_PNG},
                    {.width = 20, .height = 15, .fit = DP_RENDER_EXACT, .format = DP_MEDIA_PNG}},
        .output_count = 4};
    pipeline p = pipeline_of(rig, &job);
    assert_int_equal(pipeline_decode(&p), DP_OK);
    assert_int_equal(p.item_count, 2); /* the first two are one, the third is the source itself */
    pipeline_drop(&p);
    dp_put(source);
}

static void a_turned_picture_is_cut_and_fitted_as_it_is_shown(void **state)
{
    render_rig *rig = *state;
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        made_media media = media_jpeg(80, 40, &(jpeg_options){.orientation = orientation});
        NEED_CODECS(media);
        const bool side = orientation >= 5;
        dp_buf *source = source_of(rig, &media);
        const dp_render_job job = {
            .source = source,
            .outputs = {{.width = 20, .height = 30, .format = DP_MEDIA_PNG},
                        {.width = 10, .height = 30, .fit = DP_RENDER_COVER},
                        {.width = 33, .height = 11, .fit = DP_RENDER_EXACT},
                        {.width = 100, .height = 100, .format = DP_MEDIA_PNG},
                        {.width = 101, .height = 101}},
            .output_count = 5};
        pipeline p = pipeline_of(rig, &job);
        assert_int_equal(pipeline_run(&p, cpu_of(rig), NULL), DP_OK);
        expect_size(&p, 0, side ? 15 : 20, side ? 30 : 10);
        expect_size(&p, 1, 10, 30);
        expect_size(&p, 2, 33, 11);
        expect_size(&p, 3, side ? 40 : 80, side ? 80 : 40);
        expect_size(&p, 4, side ? 40 : 80, side ? 80 : 40);
        pipeline_drop_results(&p);
        dp_put(source);
    }
}

static void a_drawing_is_made_anew_for_each_size(void **state)
{
    render_rig *rig = *state;
    made_media media = media_text(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 4 2'>"
        "<circle r='1' cx='1' cy='1'/></svg>");
    if (!dp_media_can_decode(DP_MEDIA_SVG)) {
        media_free(&media);
        skip();
    }
    NEED_CODECS(media);
    dp_buf *source = source_of(rig, &media);
    const dp_render_job job = {.source = source,
                               .outputs = {{.width = 100, .height = 100},
                                           {.width = 64, .height = 64, .fit = DP_RENDER_COVER},
                                           {.width = 64, .height = 64, .fit = DP_RENDER_EXACT},
                                           {.width = 300, .height = 150, .fit = DP_RENDER_EXACT}},
                               .output_count = 4};
    pipeline p = pipeline_of(rig, &job);
    assert_int_equal(pipeline_run(&p, cpu_of(rig), NULL), DP_OK);
    expect_size(&p, 0, 100, 50);
    expect_size(&p, 1, 64, 64);
    expect_size(&p, 2, 64, 64);
    expect_size(&p, 3, 300, 150);
    pipeline_drop_results(&p);
    dp_put(source);
}

/* However long a drawing is, cutting a square out of it must not take memory without end. */
static void a_cut_out_of_an_endless_drawing_is_refused_by_its_pixels(void **state)
{
    render_rig *rig = *state;
    made_media media = media_text(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 60000 1'>"
        "<circle r='1' cx='1' cy='1'/></svg>");
    if (!dp_media_can_decode(DP_MEDIA_SVG)) {
        media_free(&media);
        skip();
    }
    dp_buf *source = source_of(rig, &media);
    const dp_render_job job = {.source = source,
                               .outputs = {{.width = 4096, .height = 4096, .fit = DP_RENDER_COVER}},
                               .output_count = 1};
    pipeline p = pipeline_of(rig, &job);
    assert_int_equal(pipeline_run(&p, cpu_of(rig), NULL), DP_ERR_TOO_LARGE);
    assert_non_null(strstr(p.task.message, "at most"));
    dp_put(source);
}

/* A device that is lost in the middle of every batch, as a driver would report it. */
static dp_status lose_device(backend *b, backend_item *const items[], size_t count,
                             char detail[BACKEND_DETAIL_BYTES])
{
    (void)b;
    (void)items;
    (void)count;
    snprintf(detail, BACKEND_DETAIL_BYTES, "cuda: the device was lost");
    return DP_ERR_DEVICE;
}

static void leave(backend *b)
{
    (void)b;
}

static void a_lost_device_is_replaced_and_the_result_says_so(void **state)
{
    static const backend_ops lost_ops = {.name = "cuda", .run = lose_device, .close = leave};
    backend lost = {.ops = &lost_ops};
    render_rig *rig = *state;
    made_media media = media_jpeg(300, 200, &(jpeg_options){0});
    NEED_CODECS(media);
    dp_buf *source = source_of(rig, &media);
    const dp_render_job job = {
        .source = source, .outputs = {{.width = 100, .height = 100}}, .output_count = 1};
    pipeline p = pipeline_of(rig, &job);
    assert_int_equal(pipeline_run(&p, &lost, cpu_of(rig)), DP_OK);
    assert_string_equal(p.result.engine, "cpu (cuda failed)");
    assert_int_equal(p.result.surface_tier, DP_TIER_HOST);
    expect_size(&p, 0, 100, 67);
    pipeline_drop_results(&p);
    /* Without a spare the error stays one. */
    p = pipeline_of(rig, &job);
    assert_int_equal(pipeline_run(&p, &lost, NULL), DP_ERR_DEVICE);
    dp_put(source);
}

/* The n-th block that is asked for is refused, for n = 1, 2, ...: an error or a picture, no leak.
 */
static void no_refused_memory_leaks(void **state)
{
    render_rig *rig = *state;
    made_media media = media_png(60, 40, &(png_options){.bit_depth = 8, .color_type = 6});
    NEED_CODECS(media);
    dp_buf *source = source_of(rig, &media);
    const uint64_t before = rig_used_bytes(rig);
    const dp_render_job job = {
        .source = source,
        .outputs = {{.width = 20, .height = 20, .format = DP_MEDIA_PNG},
                    {.width = 11, .height = 11, .fit = DP_RENDER_COVER, .format = DP_MEDIA_WEBP},
                    {.width = 30, .height = 20, .format = DP_MEDIA_JPEG}},
        .output_count = 3};
    bool fired = true;
    unsigned failures = 0;
    for (uint64_t nth = 1; fired; nth++) {
        assert_true(nth < 10000);
        os_malloc_fail_nth(nth);
        pipeline p = pipeline_of(rig, &job);
        const dp_status status = pipeline_run(&p, cpu_of(rig), NULL);
        fired = os_malloc_fail_nth(0) == 0;
        if (status == DP_OK) {
            pipeline_drop_results(&p);
        } else {
            assert_true(fired);
            assert_true(p.task.message[0] != '\0');
            assert_int_equal(p.result.picture_count, 0);
            failures++;
        }
        assert_int_equal(rig_used_bytes(rig), before);
    }
    assert_true(failures > 0);
    dp_put(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_fitted_into_the_box_in_proportion),
        cmocka_unit_test(only_drawings_are_enlarged),
        cmocka_unit_test(no_size_leaves_the_box),
        cmocka_unit_test(a_cut_is_the_largest_of_the_shape_and_in_the_middle),
        cmocka_unit_test(no_cut_leaves_the_picture),
        RIG_TEST(one_decode_serves_every_output),
        RIG_TEST(outputs_of_the_same_pixels_share_them),
        RIG_TEST(a_turned_picture_is_cut_and_fitted_as_it_is_shown),
        RIG_TEST(a_drawing_is_made_anew_for_each_size),
        RIG_TEST(a_cut_out_of_an_endless_drawing_is_refused_by_its_pixels),
        RIG_TEST(a_lost_device_is_replaced_and_the_result_says_so),
        RIG_TEST(no_refused_memory_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
