/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drawings through the pipeline: our own engine, the scenes that it keeps, and who draws the rest.
 */
#include <danpool/cache.h>

#include "pool/os.h"
#include "render/drawing.h"
#include "render/librsvg.h"
#include "render/pipeline.h"
#include "render_rig.h"

#define SVG     "<svg xmlns='http://www.w3.org/2000/svg' "
#define STICKER SVG "viewBox='0 0 40 20'><rect width='20' height='20' fill='#f80'/></svg>"
#define WORDS   SVG "viewBox='0 0 40 20'><text x='2' y='15'>hi</text></svg>"

#define NEED_FRONT_END                                                                             \
    if (!drawing_can_parse())                                                                      \
    skip()

static const dp_cache_key key = {.bytes = {7}};

typedef struct drawn {
    pipeline p;
    dp_render_job job;
} drawn;

static dp_buf *source_of(render_rig *rig, const char *text)
{
    const dp_request request = {
        .size_bytes = strlen(text), .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    dp_buf *buf;
    assert_int_equal(dp_get(rig->pool, &request, &buf), DP_OK);
    memcpy(dp_buf_data(buf), text, strlen(text));
    return buf;
}

/* A job for one PNG of 80 x 80 at most, by the reader of this thread. */
static void prepare(drawn *d, render_rig *rig, dp_buf *source, dp_cache *scenes)
{
    *d = (drawn){.job = {.source = source,
                         .outputs = {{.width = 80, .height = 80, .format = DP_MEDIA_PNG}},
                         .output_count = 1,
                         .scene_key = &key}};
    d->p.task = (render_task){.pool = rig->pool, .input_pixels_max = 1000000};
    d->p.reader = &decode_in_thread;
    d->p.scenes = scenes;
}

static dp_status run(drawn *d)
{
    char detail[BACKEND_DETAIL_BYTES];
    backend *cpu;
    d->p.job = &d->job;
    assert_int_equal(backend_cpu_open(d->p.task.pool, detail, &cpu), DP_OK);
    return pipeline_run(&d->p, cpu, cpu);
}

static dp_status no_reading(const decode_reader *reader, render_task *task, media_bytes bytes,
                            decode_session **out)
{
    (void)reader;
    (void)bytes;
    (void)out;
    return task_fail(task, DP_ERR_IO, "read again");
}

static const decode_reader blind_reader = {.name = "blind", .open = no_reading};

static dp_cache *scenes_of(render_rig *rig)
{
    const dp_cache_config config = {0};
    dp_cache *scenes;
    assert_int_equal(dp_cache_create(rig->pool, &config, &scenes), DP_OK);
    return scenes;
}

static void a_sticker_is_ours_and_fills_its_box(void **state)
{
    render_rig *rig = *state;
    drawn d;
    NEED_FRONT_END;
    dp_buf *source = source_of(rig, STICKER);
    prepare(&d, rig, source, NULL);
    assert_int_equal(run(&d), DP_OK);
    assert_string_equal(d.p.result.engine, "cpu");
    assert_int_equal(d.p.result.source_format, DP_MEDIA_SVG);
    assert_int_equal(d.p.result.pictures[0].width, 80);
    assert_int_equal(d.p.result.pictures[0].height, 40);
    pipeline_drop_results(&d.p);
    dp_put(source);
}

static void a_kept_scene_is_not_read_again(void **state)
{
    render_rig *rig = *state;
    drawn d;
    NEED_FRONT_END;
    dp_cache *scenes = scenes_of(rig);
    dp_buf *source = source_of(rig, STICKER);
    prepare(&d, rig, source, scenes);
    assert_int_equal(run(&d), DP_OK);
    const size_t bytes = dp_buf_size(d.p.result.pictures[0].bytes);
    pipeline_drop_results(&d.p);

    prepare(&d, rig, source, scenes);
    d.p.reader = &blind_reader;
    assert_int_equal(run(&d), DP_OK);
    assert_int_equal(dp_buf_size(d.p.result.pictures[0].bytes), bytes);
    pipeline_drop_results(&d.p);

    /* Without the key nobody looks. */
    prepare(&d, rig, source, scenes);
    d.job.scene_key = NULL;
    d.p.reader = &blind_reader;
    assert_int_equal(run(&d), DP_ERR_IO);
    dp_put(source);
    dp_cache_destroy(scenes);
}

static void a_damaged_scene_is_forgotten_and_made_again(void **state)
{
    render_rig *rig = *state;
    drawn d;
    NEED_FRONT_END;
    dp_cache *scenes = scenes_of(rig);
    dp_buf *source = source_of(rig, STICKER);
    dp_buf *damaged = source_of(rig, "no scene at all, whatever its length may be");
    const dp_cache_entry entry = {.buf = damaged, .priority = DP_PRIORITY_LOW};
    assert_int_equal(dp_cache_insert(scenes, &key, &entry, NULL), DP_OK);
    dp_put(damaged);

    prepare(&d, rig, source, scenes);
    assert_int_equal(run(&d), DP_OK);
    pipeline_drop_results(&d.p);
    prepare(&d, rig, source, scenes);
    d.p.reader = &blind_reader;
    assert_int_equal(run(&d), DP_OK);
    pipeline_drop_results(&d.p);
    dp_put(source);
    dp_cache_destroy(scenes);
}

static void every_fit_has_its_size(void **state)
{
    render_rig *rig = *state;
    drawn d;
    NEED_FRONT_END;
    dp_buf *source = source_of(rig, STICKER);
    prepare(&d, rig, source, NULL);
    d.job.outputs[1] = (dp_render_output){60, 60, DP_RENDER_EXACT, DP_MEDIA_PNG};
    d.job.outputs[2] = (dp_render_output){60, 60, DP_RENDER_COVER, DP_MEDIA_PNG};
    d.job.outputs[3] = (dp_render_output){50, 25, DP_RENDER_COVER, DP_MEDIA_PNG};
    d.job.output_count = 4;
    assert_int_equal(run(&d), DP_OK);
    static const uint32_t sides[4][2] = {{80, 40}, {60, 60}, {60, 60}, {50, 25}};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(d.p.result.pictures[i].width, sides[i][0]);
        assert_int_equal(d.p.result.pictures[i].height, sides[i][1]);
    }
    pipeline_drop_results(&d.p);
    dp_put(source);
}

static void what_it_does_not_cover_is_librsvgs_or_refused(void **state)
{
    render_rig *rig = *state;
    drawn d;
    NEED_FRONT_END;
    dp_buf *source = source_of(rig, WORDS);
    prepare(&d, rig, source, NULL);
    d.p.task.own_engine_only = true;
    assert_int_equal(run(&d), DP_ERR_UNSUPPORTED);
    assert_non_null(strstr(d.p.task.message, "text"));
    if (librsvg_is_there()) {
        prepare(&d, rig, source, NULL);
        assert_int_equal(run(&d), DP_OK);
        assert_string_equal(d.p.result.engine, "librsvg+cpu");
        pipeline_drop_results(&d.p);
    }
    dp_put(source);
}

static void no_failed_allocation_leaves_anything_behind(void **state)
{
    render_rig *rig = *state;
    drawn d;
    NEED_FRONT_END;
    dp_buf *source = source_of(rig, STICKER);
    dp_status status = DP_ERR_NOMEM;
    unsigned nth = 1;
    for (; status != DP_OK; nth++) {
        assert_true(nth < 1000);
        drawing_forget();
        prepare(&d, rig, source, NULL);
        os_malloc_fail_nth(nth);
        status = run(&d);
        if (os_malloc_fail_nth(0) != 0) {
            assert_int_equal(status, DP_OK);
        }
        if (status != DP_OK) {
            assert_int_equal(status, DP_ERR_NOMEM);
            assert_true(d.p.task.message[0] != '\0');
        } else {
            pipeline_drop_results(&d.p);
        }
        assert_int_equal(rig_used_bytes(rig), dp_buf_capacity(source));
    }
    assert_true(nth > 4);
    dp_put(source);
    drawing_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_sticker_is_ours_and_fills_its_box),
        RIG_TEST(a_kept_scene_is_not_read_again),
        RIG_TEST(a_damaged_scene_is_forgotten_and_made_again),
        RIG_TEST(every_fit_has_its_size),
        RIG_TEST(what_it_does_not_cover_is_librsvgs_or_refused),
        RIG_TEST(no_failed_allocation_leaves_anything_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
