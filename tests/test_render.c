/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole pipeline from submit to done, with real files and workers.
 *
 * A gate holds the only worker inside done() where a test needs a queue that does not move:
 * cmocka's assertions belong to the main thread, so done() only notes what came.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "render/render.h"
#include "render_rig.h"

#define NOTES_MAX 64

typedef struct notes {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool gate_closed;
    int count;
    int order[NOTES_MAX]; /* the jobs' numbers as they were done */
    dp_status status[NOTES_MAX];
    char message[160]; /* the last one */
    dp_render_result result;
} notes;

typedef struct noted_job {
    notes *all;
    int number;
    bool waits; /* done() stays until the gate opens */
} noted_job;

static notes board;

static void on_done(void *user, dp_status status, const char *message,
                    const dp_render_result *result)
{
    const noted_job *job = user;
    notes *n = job->all;
    pthread_mutex_lock(&n->lock);
    n->order[n->count] = job->number;
    n->status[n->count++] = status;
    strncpy(n->message, message, sizeof n->message - 1);
    if (result != NULL) {
        n->result = *result;
        for (unsigned i = 0; i < result->picture_count; i++) {
            dp_put(result->pictures[i].bytes);
        }
    }
    pthread_cond_broadcast(&n->changed);
    while (job->waits && n->gate_closed) {
        pthread_cond_wait(&n->changed, &n->lock);
    }
    pthread_mutex_unlock(&n->lock);
}

static void wait_for(int count)
{
    pthread_mutex_lock(&board.lock);
    while (board.count < count) {
        pthread_cond_wait(&board.changed, &board.lock);
    }
    pthread_mutex_unlock(&board.lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&board.lock);
    board.gate_closed = false;
    pthread_cond_broadcast(&board.changed);
    pthread_mutex_unlock(&board.lock);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void clear_board(void)
{
    board = (notes){.lock = PTHREAD_MUTEX_INITIALIZER,
                    .changed = PTHREAD_COND_INITIALIZER,
                    .gate_closed = true};
}

static dp_buf *source_of(render_rig *rig, made_media *media)
{
    const dp_request request = {
        .size_bytes = media->size_bytes, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    dp_buf *buf;
    assert_int_equal(dp_get(rig->pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_write(buf, 0, media->bytes, media->size_bytes), DP_OK);
    media_free(media);
    return buf;
}

/* With time enough for a crowded machine, unless the test is about time. */
static dp_render *start(render_rig *rig, const dp_render_config *wanted)
{
    dp_render_config config = *wanted;
    dp_render *render;
    config.time_ms_max = config.time_ms_max == 0 ? 50000 : config.time_ms_max;
    clear_board();
    assert_int_equal(dp_render_create(rig->pool, &config, &render), DP_OK);
    return render;
}

static dp_render_job job_of(dp_buf *source, noted_job *noted)
{
    return (dp_render_job){.source = source,
                           .outputs = {{.width = 32, .height = 32, .format = DP_MEDIA_PNG}},
                           .output_count = 1,
                           .priority = DP_PRIORITY_NORMAL,
                           .done = on_done,
                           .user = noted};
}

static made_media small_png(void)
{
    return media_png(40, 30, &(png_options){.bit_depth = 8, .color_type = 6});
}

#define NEED_PNG                                                                                   \
    do {                                                                                           \
        if (!dp_media_can_decode(DP_MEDIA_PNG)) {                                                  \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void a_picture_comes_out_with_its_facts(void **state)
{
    render_rig *rig = *state;
    noted_job noted = {.all = &board};
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 2});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    const dp_render_job job = job_of(source, &noted);
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    dp_put(source); /* the pipeline has its own reference */
    wait_for(1);
    assert_int_equal(board.status[0], DP_OK);
    assert_string_equal(board.result.engine, "cpu");
    assert_int_equal(board.result.pictures[0].format, DP_MEDIA_PNG);
    assert_int_equal(board.result.source_format, DP_MEDIA_PNG);
    assert_int_equal(board.result.source_width, 40);
    assert_int_equal(board.result.pictures[0].width, 32);
    assert_int_equal(board.result.pictures[0].height, 24);
    assert_int_equal(board.result.surface_tier, DP_TIER_HOST);
    assert_true(board.result.decode_ns > 0 && board.result.encode_ns > 0);
    dp_render_destroy(render);
}

static void a_turned_photo_is_shown_upright(void **state)
{
    render_rig *rig = *state;
    noted_job noted = {.all = &board};
    made_media media = media_jpeg(80, 40, &(jpeg_options){.orientation = 6});
    NEED_PNG;
    if (media.bytes == NULL) {
        skip();
    }
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    dp_buf *source = source_of(rig, &media);
    dp_render_job job = job_of(source, &noted);
    job.outputs[0].width = 100;
    job.outputs[0].height = 40;
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(1);
    assert_int_equal(board.status[0], DP_OK);
    assert_int_equal(board.result.source_width, 40);
    assert_int_equal(board.result.source_height, 80);
    assert_int_equal(board.result.pictures[0].width, 20);
    assert_int_equal(board.result.pictures[0].height, 40);
    dp_put(source);
    dp_render_destroy(render);
}

static void a_sticker_is_drawn_by_librsvg_to_fill_the_box(void **state)
{
    render_rig *rig = *state;
    noted_job noted = {.all = &board};
    made_media media = media_text(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 4 2'>"
        "<circle r='1' cx='1' cy='1'/></svg>");
    if (!dp_media_can_decode(DP_MEDIA_SVG) || !dp_media_can_decode(DP_MEDIA_WEBP)) {
        media_free(&media);
        skip();
    }
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    dp_buf *source = source_of(rig, &media);
    dp_render_job job = job_of(source, &noted);
    job.outputs[0].format = DP_MEDIA_UNKNOWN;
    job.outputs[0].width = job.outputs[0].height = 160;
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(1);
    assert_int_equal(board.status[0], DP_OK);
    assert_string_equal(board.result.engine, "librsvg+cpu");
    assert_int_equal(board.result.pictures[0].format, DP_MEDIA_WEBP);
    assert_int_equal(board.result.pictures[0].width, 160);
    assert_int_equal(board.result.pictures[0].height, 80);
    dp_put(source);
    dp_render_destroy(render);
}

static void jobs_are_done_by_priority_and_then_in_order(void **state)
{
    static const dp_priority priorities[] = {DP_PRIORITY_NORMAL, DP_PRIORITY_LOW,
                                             DP_PRIORITY_HIGH,   DP_PRIORITY_LOW,
                                             DP_PRIORITY_HIGH,   DP_PRIORITY_NORMAL};
    static const int expected[] = {0, 3, 5, 1, 6, 2, 4};
    render_rig *rig = *state;
    noted_job noted[7];
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    for (int i = 0; i < 7; i++) {
        noted[i] = (noted_job){&board, i, i == 0};
        dp_render_job job = job_of(source, &noted[i]);
        job.priority = i == 0 ? DP_PRIORITY_LOW : priorities[i - 1];
        assert_int_equal(dp_render_submit(render, &job), DP_OK);
        if (i == 0) {
            wait_for(1); /* the worker is now held at the gate */
        }
    }
    open_gate();
    wait_for(7);
    assert_memory_equal(board.order, expected, sizeof expected);
    dp_put(source);
    dp_render_destroy(render);
}

static void a_full_queue_says_busy(void **state)
{
    render_rig *rig = *state;
    noted_job noted[4];
    dp_render_stats stats;
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1, .queue_max = 2});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    for (int i = 0; i < 4; i++) {
        noted[i] = (noted_job){&board, i, true};
        const dp_render_job job = job_of(source, &noted[i]);
        assert_int_equal(dp_render_submit(render, &job), i < 3 ? DP_OK : DP_ERR_BUSY);
        if (i == 0) {
            wait_for(1);
        }
    }
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.submitted, 3);
    assert_int_equal(stats.rejected_busy, 1);
    assert_int_equal(stats.queue_length, 2);
    open_gate();
    wait_for(3);
    dp_put(source);
    dp_render_destroy(render);
    assert_int_equal(board.count, 3);
}

static void *destroy_later(void *render)
{
    dp_render_destroy(render);
    return NULL;
}

static void destroy_fails_the_jobs_that_wait(void **state)
{
    render_rig *rig = *state;
    noted_job noted[4];
    pthread_t thread;
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1, .queue_max = 3});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    for (int i = 0; i < 4; i++) {
        noted[i] = (noted_job){&board, i, i == 0};
        const dp_render_job job = job_of(source, &noted[i]);
        assert_int_equal(dp_render_submit(render, &job), DP_OK);
        if (i == 0) {
            wait_for(1);
        }
    }
    assert_int_equal(pthread_create(&thread, NULL, destroy_later, render), 0);
    /* destroy() waits for the worker, the worker for the gate, and the gate for the queue to close:
     * a full queue is busy until then. */
    const dp_render_job late = job_of(source, &noted[0]);
    dp_status status;
    while ((status = dp_render_submit(render, &late)) == DP_ERR_BUSY) {
        pause_ms(1);
    }
    assert_int_equal(status, DP_ERR_CLOSED);
    dp_put(source);
    open_gate();
    pthread_join(thread, NULL);
    assert_int_equal(board.count, 4);
    assert_int_equal(board.status[0], DP_OK);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(board.order[i], i);
        assert_int_equal(board.status[i], DP_ERR_CLOSED);
    }
}

static void a_stopped_renderer_refuses_jobs_and_keeps_its_figures(void **state)
{
    render_rig *rig = *state;
    noted_job noted = {&board, 0, false};
    dp_render_stats stats;
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 2, .queue_max = 3});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    const dp_render_job job = job_of(source, &noted);
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    dp_render_stop(render);
    assert_int_equal(board.count, 1);
    dp_render_stop(render);
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_CLOSED);
    assert_int_equal(board.count, 1);
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.submitted, 1);
    assert_int_equal(stats.done_ok + stats.done_failed, 1);
    assert_int_equal(stats.queue_length, 0);
    dp_put(source);
    dp_render_destroy(render);
}

static void a_job_that_waited_too_long_times_out(void **state)
{
    render_rig *rig = *state;
    noted_job noted[2] = {{&board, 0, true}, {&board, 1, false}};
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1, .time_ms_max = 200});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    dp_render_job job = job_of(source, &noted[0]);
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(1);
    job.user = &noted[1];
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    pause_ms(300);
    open_gate();
    wait_for(2);
    assert_int_equal(board.status[1], DP_ERR_TIMEOUT);
    assert_string_equal(board.message, "waited too long for a renderer");
    dp_put(source);
    dp_render_destroy(render);
}

static void a_job_has_a_deadline_of_its_own(void **state)
{
    render_rig *rig = *state;
    noted_job noted[3] = {{&board, 0, true}, {&board, 1, false}, {&board, 2, false}};
    dp_render_stats stats;
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    dp_render_job job = job_of(source, &noted[0]);
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(1);
    job.user = &noted[1];
    job.priority = DP_PRIORITY_HIGH;
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    job.user = &noted[2];
    job.priority = DP_PRIORITY_LOW;
    job.time_ms_max = 100;
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    pause_ms(150);
    dp_render_stats_read(render, &stats);
    assert_true(stats.queue_age_ns >= 150000000);
    assert_int_equal(stats.stage_jobs[DP_RENDER_STAGE_QUEUE], 2);
    open_gate();
    wait_for(3);
    /* What is late does not wait for those before it. */
    assert_int_equal(board.order[1], 2);
    assert_int_equal(board.status[1], DP_ERR_TIMEOUT);
    assert_int_equal(board.status[2], DP_OK);
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.late, 1);
    assert_int_equal(stats.queue_age_ns, 0);
    dp_put(source);
    dp_render_destroy(render);
}

static void one_tenant_does_not_starve_another(void **state)
{
    render_rig *rig = *state;
    noted_job noted[12];
    dp_render_stats stats;
    NEED_PNG;
    dp_render *render =
        start(rig, &(dp_render_config){.workers = 1, .queue_max = 20, .tenant_jobs_max = 8});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    for (int i = 0; i < 10; i++) {
        noted[i] = (noted_job){&board, i, i == 0};
        dp_render_job job = job_of(source, &noted[i]);
        job.tenant = 77;
        assert_int_equal(dp_render_submit(render, &job), i < 9 ? DP_OK : DP_ERR_BUSY);
        if (i == 0) {
            wait_for(1);
        }
    }
    for (int i = 10; i < 12; i++) {
        noted[i] = (noted_job){&board, i, false};
        dp_render_job job = job_of(source, &noted[i]);
        job.tenant = 78;
        assert_int_equal(dp_render_submit(render, &job), DP_OK);
    }
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.rejected_share, 1);
    assert_int_equal(stats.rejected_busy, 0);
    assert_int_equal(stats.tenants, 2);
    open_gate();
    wait_for(11);
    /* The gate's job, then by turns. */
    assert_int_equal(board.order[1], 1);
    assert_int_equal(board.order[2], 10);
    assert_int_equal(board.order[3], 2);
    assert_int_equal(board.order[4], 11);
    dp_put(source);
    dp_render_destroy(render);
}

static void several_outputs_come_back_in_order(void **state)
{
    render_rig *rig = *state;
    noted_job noted = {.all = &board};
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    made_media media = small_png();
    dp_buf *source = source_of(rig, &media);
    dp_render_job job = job_of(source, &noted);
    job.output_count = DP_RENDER_OUTPUTS_MAX;
    for (uint32_t i = 0; i < DP_RENDER_OUTPUTS_MAX; i++) {
        job.outputs[i] = (dp_render_output){.width = 4 * (i + 1),
                                            .height = 3 * (i + 1),
                                            .fit = (dp_render_fit)(i % DP_RENDER_FIT_COUNT),
                                            .format = DP_MEDIA_PNG};
    }
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(1);
    assert_int_equal(board.status[0], DP_OK);
    assert_int_equal(board.result.picture_count, DP_RENDER_OUTPUTS_MAX);
    for (uint32_t i = 0; i < DP_RENDER_OUTPUTS_MAX; i++) {
        assert_int_equal(board.result.pictures[i].width, 4 * (i + 1));
        assert_int_equal(board.result.pictures[i].height, 3 * (i + 1));
    }
    job.output_count = 0;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_INVALID);
    job.output_count = DP_RENDER_OUTPUTS_MAX + 1;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_INVALID);
    job.output_count = 2;
    job.outputs[1].format = DP_MEDIA_SVG;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_UNSUPPORTED);
    job.outputs[1].format = DP_MEDIA_PNG;
    job.outputs[1].fit = DP_RENDER_FIT_COUNT;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_INVALID);
    dp_put(source);
    dp_render_destroy(render);
}

/* The one frame of a GIF so many times. */
static made_media moving_gif(uint32_t width, uint32_t height, size_t frames)
{
    made_media still = media_gif(width, height, &(gif_options){0});
    if (still.bytes == NULL) {
        return still;
    }
    /* Behind the header and the palette comes the frame, then one byte that ends the file. */
    const size_t start = 13 + 3 * ((size_t)2 << (still.bytes[10] & 7));
    const size_t frame_bytes = still.size_bytes - 1 - start;
    made_media out = {malloc(start + frames * frame_bytes + 1), start};
    assert_non_null(out.bytes);
    memcpy(out.bytes, still.bytes, start);
    for (size_t i = 0; i < frames; i++) {
        memcpy(out.bytes + out.size_bytes, still.bytes + start, frame_bytes);
        out.size_bytes += frame_bytes;
    }
    out.bytes[out.size_bytes++] = 0x3b;
    media_free(&still);
    return out;
}

static void an_animation_is_kept_where_it_can_be(void **state)
{
    render_rig *rig = *state;
    noted_job noted[2] = {{&board, 0, false}, {&board, 1, false}};
    made_media media = moving_gif(24, 18, 3);
    if (media.bytes == NULL || !dp_media_can_encode(DP_MEDIA_WEBP)) {
        media_free(&media);
        skip();
    }
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    dp_buf *source = source_of(rig, &media);
    dp_render_job job = job_of(source, &noted[0]);
    job.output_count = 2;
    job.outputs[0] = (dp_render_output){.width = 12, .height = 12, .format = DP_MEDIA_PNG};
    job.outputs[1] = (dp_render_output){.width = 12, .height = 12, .format = DP_MEDIA_WEBP};
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(1);
    assert_int_equal(board.status[0], DP_OK);
    assert_int_equal(board.result.source_frame_count, 3);
    assert_int_equal(board.result.pictures[0].frame_count, 1);
    assert_int_equal(board.result.pictures[1].frame_count, 3);
    job.user = &noted[1];
    job.animation = DP_RENDER_FIRST_FRAME;
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(2);
    assert_int_equal(board.result.pictures[1].frame_count, 1);
    dp_put(source);
    dp_render_destroy(render);
}

static void bad_jobs_are_refused_at_the_door(void **state)
{
    render_rig *rig = *state;
    noted_job noted = {.all = &board};
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1, .input_bytes_max = 4000});
    made_media media = small_png();
    dp_buf *good = source_of(rig, &media);
    media = (made_media){calloc(1, 4001), 4001};
    memcpy(media.bytes, "\x89PNG\r\n\x1a\n", 8);
    dp_buf *large = source_of(rig, &media);
    media = media_text("<html>no picture</html>");
    dp_buf *other = source_of(rig, &media);
    dp_render_job job = job_of(large, &noted);
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_TOO_LARGE);
    job.source = other;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_FORMAT);
    job.source = good;
    job.outputs[0].format = DP_MEDIA_GIF;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_UNSUPPORTED);
    job.outputs[0].format = DP_MEDIA_PNG;
    job.outputs[0].width = 0;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_INVALID);
    job.outputs[0].width = 4097;
    assert_int_equal(dp_render_submit(render, &job), DP_ERR_INVALID);
    dp_put(good);
    dp_put(large);
    dp_put(other);
    dp_render_destroy(render);
    assert_int_equal(board.count, 0);
}

/* What the file is guilty of reaches its sender in words, and the next job is not harmed. */
static void a_bad_file_costs_its_sender_an_error_and_nobody_else(void **state)
{
    render_rig *rig = *state;
    noted_job noted[2] = {{&board, 0, false}, {&board, 1, false}};
    dp_render_stats stats;
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    made_media media = media_png_header(30000, 30000);
    dp_buf *bad = source_of(rig, &media);
    dp_render_job job = job_of(bad, &noted[0]);
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(1);
    assert_int_equal(board.status[0], DP_ERR_TOO_LARGE);
    assert_string_equal(board.message, "30000 x 30000 pixels, at most 40000000 are taken");
    media = small_png();
    dp_buf *good = source_of(rig, &media);
    job = job_of(good, &noted[1]);
    assert_int_equal(dp_render_submit(render, &job), DP_OK);
    wait_for(2);
    assert_int_equal(board.status[1], DP_OK);
    dp_put(bad);
    dp_put(good);
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.done_ok, 1);
    assert_int_equal(stats.done_failed, 1);
    assert_true(stats.busy_ns > 0);
    dp_render_destroy(render);
}

static void many_jobs_on_many_workers_all_come_back(void **state)
{
    render_rig *rig = *state;
    noted_job noted[NOTES_MAX];
    dp_buf *sources[3];
    made_media media[3] = {small_png(),
                           media_text("<svg xmlns='http://www.w3.org/2000/svg' "
                                      "viewBox='0 0 9 9'><path d='M1 1h5v5z'/></svg>"),
                           media_jpeg(200, 150, &(jpeg_options){.progressive = true})};
    NEED_PNG;
    dp_render *render = start(rig, &(dp_render_config){.workers = 4});
    for (int i = 0; i < 3; i++) {
        media[i] = media[i].bytes == NULL ? small_png() : media[i];
        sources[i] = source_of(rig, &media[i]);
    }
    int accepted = 0;
    for (int i = 0; i < NOTES_MAX; i++) {
        noted[i] = (noted_job){&board, i, false};
        dp_render_job job = job_of(sources[i % 3], &noted[i]);
        job.priority = (dp_priority)(i % DP_PRIORITY_COUNT);
        accepted += dp_render_submit(render, &job) == DP_OK;
    }
    wait_for(accepted);
    for (int i = 0; i < accepted; i++) {
        assert_int_equal(board.status[i], DP_OK);
    }
    assert_true(accepted >= NOTES_MAX * 2 / 3);
    for (int i = 0; i < 3; i++) {
        dp_put(sources[i]);
    }
    dp_render_destroy(render);
}

static void auto_means_cpu_where_no_device_serves(void **state)
{
    render_rig *rig = *state; /* its pool has no hbm tier */
    dp_render *render = start(rig, &(dp_render_config){.workers = 1});
    assert_string_equal(dp_render_backend_name(render), "cpu");
    dp_render_destroy(render);
    render = NULL;
    assert_int_equal(
        dp_render_create(rig->pool, &(dp_render_config){.backend = DP_BACKEND_CUDA}, &render),
        DP_ERR_UNSUPPORTED);
    assert_null(render);
    dp_render_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_picture_comes_out_with_its_facts),
        RIG_TEST(a_turned_photo_is_shown_upright),
        RIG_TEST(a_sticker_is_drawn_by_librsvg_to_fill_the_box),
        RIG_TEST(jobs_are_done_by_priority_and_then_in_order),
        RIG_TEST(a_full_queue_says_busy),
        RIG_TEST(destroy_fails_the_jobs_that_wait),
        RIG_TEST(a_stopped_renderer_refuses_jobs_and_keeps_its_figures),
        RIG_TEST(a_job_that_waited_too_long_times_out),
        RIG_TEST(a_job_has_a_deadline_of_its_own),
        RIG_TEST(one_tenant_does_not_starve_another),
        RIG_TEST(several_outputs_come_back_in_order),
        RIG_TEST(an_animation_is_kept_where_it_can_be),
        RIG_TEST(bad_jobs_are_refused_at_the_door),
        RIG_TEST(a_bad_file_costs_its_sender_an_error_and_nobody_else),
        RIG_TEST(many_jobs_on_many_workers_all_come_back),
        RIG_TEST(auto_means_cpu_where_no_device_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
