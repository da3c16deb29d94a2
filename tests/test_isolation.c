/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole pipeline with its decoders in processes: the same bytes come out as with threads, and
 * what cannot be had is refused or said.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "media_more.h"
#include "render/render.h"

typedef struct done_job {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    dp_status status;
    char message[160];
    dp_render_result result;
} done_job;

static void on_done(void *user, dp_status status, const char *message,
                    const dp_render_result *result)
{
    done_job *job = user;
    pthread_mutex_lock(&job->lock);
    job->status = status;
    snprintf(job->message, sizeof job->message, "%s", message);
    job->result = result == NULL ? (dp_render_result){0} : *result;
    job->done = true;
    pthread_cond_signal(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

static void run(dp_pool *pool, dp_render *render, const made_media *media, done_job *out)
{
    const dp_request request = {.size_bytes = media->size_bytes, .need = DP_NEED_HOST};
    dp_render_job job = {.outputs = {{.width = 60, .height = 40, .format = DP_MEDIA_PNG},
                                     {.width = 30, .height = 30, .format = DP_MEDIA_PNG}},
                         .output_count = 2,
                         .done = on_done,
                         .user = out};
    *out = (done_job){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    assert_int_equal(dp_get(pool, &request, &job.source), DP_OK);
    memcpy(dp_buf_data(job.source), media->bytes, media->size_bytes);
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    dp_put(job.source);
    pthread_mutex_lock(&out->lock);
    while (!out->done) {
        pthread_cond_wait(&out->changed, &out->lock);
    }
    pthread_mutex_unlock(&out->lock);
}

static void drop(done_job *job)
{
    for (unsigned i = 0; i < job->result.picture_count; i++) {
        dp_put(job->result.pictures[i].bytes);
    }
}

static dp_pool *open_pool(void)
{
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    dp_pool *pool;
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    return pool;
}

static dp_render *open_render(dp_pool *pool, dp_render_isolation isolation, const char *program)
{
    const dp_render_config config = {.workers = 2,
                                     .backend = DP_BACKEND_CPU,
                                     .time_ms_max = 30000,
                                     .isolation = isolation,
                                     .decoder_program = program};
    dp_render *render;
    assert_int_equal(dp_render_create(pool, &config, &render), DP_OK);
    return render;
}

static void check_same(dp_pool *pool, dp_render *here, dp_render *there, made_media media)
{
    done_job a, b;
    if (media.bytes == NULL) {
        return; /* a library that this build lacks */
    }
    run(pool, here, &media, &a);
    run(pool, there, &media, &b);
    assert_string_equal(b.message, a.message);
    assert_int_equal(b.status, a.status);
    assert_int_equal(b.result.picture_count, a.result.picture_count);
    assert_int_equal(b.result.source_width, a.result.source_width);
    for (unsigned i = 0; i < a.result.picture_count; i++) {
        const dp_buf *x = a.result.pictures[i].bytes, *y = b.result.pictures[i].bytes;
        assert_int_equal(dp_buf_size(x), dp_buf_size(y));
        assert_memory_equal(dp_buf_data(x), dp_buf_data(y), dp_buf_size(x));
    }
    drop(&a);
    drop(&b);
    media_free(&media);
}

/* Profiles go through a library that the filter must let work. */
static void check_coloured(dp_pool *pool, dp_render *here, dp_render *there)
{
    size_t size_bytes;
    uint8_t *profile = media_profile_inks(&size_bytes);
    if (profile != NULL) {
        check_same(pool, here, there,
                   media_jpeg_add_icc(media_jpeg(90, 70, &(jpeg_options){.cmyk = true}), profile,
                                      size_bytes));
    }
    free(profile);
    profile = media_profile_rgb(&size_bytes);
    if (profile != NULL) {
        check_same(
            pool, here, there,
            media_png_add_icc(media_png(90, 70, &(png_options){.bit_depth = 8, .color_type = 2}),
                              profile, size_bytes));
    }
    free(profile);
}

static void check_moving(dp_pool *pool, dp_render *here, dp_render *there)
{
    check_same(pool, here, there, media_gif_motion(3));
    check_same(pool, here, there, media_avif(90, 70, &(avif_options){.alpha = true, .turns = 1}));
    check_same(pool, here, there, media_avif(48, 32, &(avif_options){.frames = 3}));
    check_same(pool, here, there, media_webp_motion(90, 70, 5));
}

static void processes_give_the_bytes_that_threads_give(void **state)
{
    (void)state;
    dp_pool *pool = open_pool();
    dp_render *here = open_render(pool, DP_ISOLATION_THREAD, NULL);
    dp_render *there = open_render(pool, DP_ISOLATION_AUTO, DP_DECODER_TEST);
    dp_render_decoders decoders;

    dp_render_decoders_read(here, &decoders);
    assert_string_equal(decoders.isolation, "thread");
    dp_render_decoders_read(there, &decoders);
    assert_int_equal(strncmp(decoders.isolation, "process", 7), 0);
    assert_string_equal(dp_render_isolation_detail(there), "");
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        check_same(pool, here, there,
                   media_jpeg(400, 300, &(jpeg_options){.orientation = orientation}));
    }
    check_same(pool, here, there,
               media_png(90, 70, &(png_options){.bit_depth = 8, .color_type = 3}));
    check_same(pool, here, there, media_webp(90, 70, &(webp_options){.lossless = true}));
    check_same(pool, here, there, media_gif(90, 70, &(gif_options){.transparent = true}));
    check_coloured(pool, here, there);
    check_moving(pool, here, there);
    /* A drawing is drawn once for each size. */
    check_same(pool, here, there,
               media_text("<svg xmlns='http://www.w3.org/2000/svg' width='60' height='40'>"
                          "<path d='M5 5L50 9L30 35z' fill='#08f' stroke='#000'/></svg>"));
    check_same(pool, here, there, media_text("<svg><nothing"));
    check_same(pool, here, there, media_png_header(40000, 40000));
    dp_render_decoders_read(there, &decoders);
    assert_true(decoders.jobs >= 8);
    for (unsigned i = 0; i < DP_DECODER_DEATH_CAUSES; i++) {
        assert_int_equal(decoders.deaths[i], 0);
    }
    dp_render_destroy(there);
    dp_render_destroy(here);
    dp_pool_destroy(pool);
}

static void auto_falls_back_to_threads_and_says_why(void **state)
{
    (void)state;
    dp_pool *pool = open_pool();
    dp_render *render = open_render(pool, DP_ISOLATION_AUTO, "/nowhere/danpool-decoder");
    dp_render_decoders decoders;
    dp_render_decoders_read(render, &decoders);
    assert_string_equal(decoders.isolation, "thread");
    assert_non_null(strstr(dp_render_isolation_detail(render), "not found"));
    dp_render_destroy(render);
    dp_pool_destroy(pool);
}

static void process_is_had_or_refused(void **state)
{
    (void)state;
    dp_pool *pool = open_pool();
    dp_render *render;
    const dp_render_config config = {.workers = 1,
                                     .backend = DP_BACKEND_CPU,
                                     .isolation = DP_ISOLATION_PROCESS,
                                     .decoder_program = "/nowhere/danpool-decoder"};
    assert_int_equal(dp_render_create(pool, &config, &render), DP_ERR_NOT_FOUND);
    dp_pool_destroy(pool);
}

static void causes_have_names(void **state)
{
    (void)state;
    assert_string_equal(dp_render_death_name(0), "crash");
    assert_string_equal(dp_render_death_name(DP_DECODER_DEATH_CAUSES - 1), "killed");
    assert_string_equal(dp_render_death_name(DP_DECODER_DEATH_CAUSES), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_give_the_bytes_that_threads_give),
        cmocka_unit_test(auto_falls_back_to_threads_and_says_why),
        cmocka_unit_test(process_is_had_or_refused),
        cmocka_unit_test(causes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
