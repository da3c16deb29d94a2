/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole pipeline over a device that the test plays: it makes real pixels by the CPU's
 * arithmetic, and is slow, fails or is lost as it is told.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pool/os.h"
#include "render/render_internal.h"
#include "render/svg/draw_pack.h"
#include "render_rig.h"

#define JOBS_MAX 200
#define STICKER                                                                                    \
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'>"                                 \
    "<circle cx='20' cy='10' r='9' fill='#f80' opacity='.6'/></svg>"

typedef struct played {
    backend base;
    backend *cpu;
    unsigned fail_from, fail_to; /* batches of that range (from 1) fail with `failure` */
    dp_status failure;
    unsigned item_fails; /* every so many items, one alone is refused memory; 0 = none */
    unsigned delay_ms;
    atomic_uint runs, items, largest, drawings, again; /* drawings by plans; those found again */
    atomic_bool closed;
    atomic_uint tells;
} played;

static dp_status play(backend *b, backend_item *const items[], size_t count,
                      char detail[BACKEND_DETAIL_BYTES])
{
    played *p = (played *)(void *)b;
    const unsigned run = atomic_fetch_add(&p->runs, 1) + 1;
    if (p->delay_ms != 0) {
        nanosleep(&(struct timespec){.tv_nsec = (long)p->delay_ms * 1000000}, NULL);
    }
    if (run >= p->fail_from && run <= p->fail_to) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "played: lost at batch %u", run);
        return p->failure;
    }
    if (count > atomic_load(&p->largest)) {
        atomic_store(&p->largest, (unsigned)count);
    }
    const dp_status status = p->cpu->ops->run(p->cpu, items, count, detail);
    for (size_t i = 0; i < count; i++) {
        if (items[i]->kind == BACKEND_RASTER) {
            const draw_pack *pack = dp_buf_data(items[i]->plan->pack);
            assert_int_equal(pack->width, items[i]->target->width);
            assert_int_equal(pack->height, items[i]->target->height);
            atomic_fetch_add(&p->drawings, 1);
            atomic_fetch_add(&p->again, atomic_load(&items[i]->plan->uses) > 0);
        }
        const unsigned item = atomic_fetch_add(&p->items, 1) + 1;
        if (p->item_fails != 0 && item % p->item_fails == 0) {
            items[i]->status = DP_ERR_NOMEM;
            memset(items[i]->target->bytes, 0x5a, items[i]->target->frame_bytes);
        }
    }
    return status;
}

static void stop_playing(backend *b)
{
    atomic_store(&((played *)(void *)b)->closed, true);
}

static const backend_ops played_ops = {.name = "cuda", .run = play, .close = stop_playing};

static const backend_ops drawing_ops = {
    .name = "cuda", .rasters = true, .run = play, .close = stop_playing};

static void listen(void *user, dp_render_device from, dp_render_device to, const char *words)
{
    played *p = user;
    (void)from;
    (void)to;
    (void)words;
    atomic_fetch_add(&p->tells, 1);
}

/* What came of one job. */
typedef struct outcome {
    struct board *board;
    bool done;
    dp_status status;
    char message[160];
    char engine[32];
    uint64_t sum; /* of all result bytes */
    unsigned pictures;
    uint64_t batch_ns;
} outcome;

typedef struct board {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned done;
    outcome outcomes[JOBS_MAX];
} board;

static board notes;

static void on_done(void *user, dp_status status, const char *message,
                    const dp_render_result *result)
{
    outcome *o = user;
    pthread_mutex_lock(&notes.lock);
    o->done = true;
    o->status = status;
    snprintf(o->message, sizeof o->message, "%s", message);
    if (result != NULL) {
        snprintf(o->engine, sizeof o->engine, "%s", result->engine);
        o->batch_ns = result->batch_ns;
        o->pictures = result->picture_count;
        for (unsigned i = 0; i < result->picture_count; i++) {
            const uint8_t *bytes = dp_buf_data(result->pictures[i].bytes);
            for (size_t k = 0; k < dp_buf_size(result->pictures[i].bytes); k++) {
                o->sum = o->sum * 31 + bytes[k];
            }
            dp_put(result->pictures[i].bytes);
        }
    }
    notes.done++;
    pthread_cond_broadcast(&notes.changed);
    pthread_mutex_unlock(&notes.lock);
}

static void wait_for(unsigned count)
{
    pthread_mutex_lock(&notes.lock);
    while (notes.done < count) {
        pthread_cond_wait(&notes.changed, &notes.lock);
    }
    pthread_mutex_unlock(&notes.lock);
}

static void clear_notes(void)
{
    memset(&notes, 0, sizeof notes);
    pthread_mutex_init(&notes.lock, NULL);
    pthread_cond_init(&notes.changed, NULL);
}

static dp_buf *source_of(render_rig *rig)
{
    made_media media = media_png(90, 60, &(png_options){.bit_depth = 8, .color_type = 6});
    const dp_request request = {
        .size_bytes = media.size_bytes, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    dp_buf *buf;
    assert_int_equal(dp_get(rig->pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_write(buf, 0, media.bytes, media.size_bytes), DP_OK);
    media_free(&media);
    return buf;
}

static dp_buf *sticker_of(render_rig *rig)
{
    const dp_request request = {
        .size_bytes = sizeof STICKER - 1, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    dp_buf *buf;
    assert_int_equal(dp_get(rig->pool, &request, &buf), DP_OK);
    assert_int_equal(dp_buf_write(buf, 0, STICKER, sizeof STICKER - 1), DP_OK);
    return buf;
}

static played device_of(render_rig *rig)
{
    char detail[BACKEND_DETAIL_BYTES];
    played p = {.base = {.ops = &played_ops}, .failure = DP_ERR_DEVICE};
    assert_int_equal(backend_cpu_open(rig->pool, detail, &p.cpu), DP_OK);
    return p;
}

static dp_render *start(render_rig *rig, played *p, dp_render_config config)
{
    dp_render *render;
    config.time_ms_max = config.time_ms_max == 0 ? 50000 : config.time_ms_max;
    config.queue_max = JOBS_MAX;
    config.listener = listen;
    config.listener_user = p;
    clear_notes();
    assert_int_equal(render_create_over(rig->pool, &config, p != NULL ? &p->base : NULL, &render),
                     DP_OK);
    return render;
}

static const dp_cache_key *submit_key; /* of the sources that are submitted, NULL: none */

static void submit(dp_render *render, dp_buf *source, unsigned number, dp_status expected)
{
    const dp_render_job job = {
        .source = source,
        .outputs = {{.width = 30, .height = 30, .format = DP_MEDIA_PNG},
                    {.width = 16, .height = 16, .fit = DP_RENDER_COVER, .format = DP_MEDIA_PNG}},
        .output_count = 2,
        .scene_key = submit_key,
        .tenant = number % 3,
        .priority = DP_PRIORITY_NORMAL,
        .done = on_done,
        .user = &notes.outcomes[number]};
    assert_int_equal(dp_render_submit(render, &job), expected);
}

/* The right answer: what the CPU alone makes of the same job. */
static uint64_t sum_by_cpu(render_rig *rig, dp_buf *source)
{
    dp_render *render = start(rig, NULL, (dp_render_config){.workers = 1});
    submit(render, source, 0, DP_OK);
    wait_for(1);
    assert_int_equal(notes.outcomes[0].status, DP_OK);
    assert_string_equal(notes.outcomes[0].engine, "cpu");
    assert_int_equal(notes.outcomes[0].batch_ns, 0);
    dp_render_destroy(render);
    return notes.outcomes[0].sum;
}

#define NEED_PNG_AND_DRAWINGS                                                                      \
    do {                                                                                           \
        if (!dp_media_can_encode(DP_MEDIA_PNG) || !drawing_can_parse()) {                          \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#define NEED_PNG                                                                                   \
    do {                                                                                           \
        if (!dp_media_can_encode(DP_MEDIA_PNG)) {                                                  \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void jobs_of_many_workers_meet_in_batches(void **state)
{
    render_rig *rig = *state;
    dp_render_stats stats;
    NEED_PNG;
    dp_buf *source = source_of(rig);
    const uint64_t sum = sum_by_cpu(rig, source);
    played p = device_of(rig);
    p.delay_ms = 5; /* while it works, others gather */
    dp_render *render = start(rig, &p, (dp_render_config){.workers = 2, .batch_max = 64});
    for (unsigned i = 0; i < 100; i++) {
        submit(render, source, i, DP_OK);
    }
    wait_for(100);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(notes.outcomes[i].status, DP_OK);
        assert_string_equal(notes.outcomes[i].engine, "cuda");
        assert_true(notes.outcomes[i].sum == sum);
        assert_int_equal(notes.outcomes[i].pictures, 2);
    }
    /* Two workers that waited for their items would never have had more than four in one. */
    assert_true(atomic_load(&p.largest) > 4);
    dp_render_stop(render);
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.batch_items, 200);
    assert_int_equal(stats.batches, atomic_load(&p.runs));
    assert_int_equal(stats.spare_items, 0);
    assert_int_equal(stats.pictures, 200);
    assert_int_equal(stats.device, DP_RENDER_DEVICE_OK);
    for (unsigned i = 0; i < DP_RENDER_STAGE_COUNT; i++) {
        assert_int_equal(stats.stage_jobs[i], 0);
        assert_true(stats.stage_ns[i] > 0);
    }
    dp_put(source);
    dp_render_destroy(render);
    assert_true(atomic_load(&p.closed));
}

static void a_failed_batch_is_done_by_the_cpu_and_every_job_still_succeeds(void **state)
{
    render_rig *rig = *state;
    dp_render_stats stats;
    NEED_PNG;
    dp_buf *source = source_of(rig);
    const uint64_t sum = sum_by_cpu(rig, source);
    for (unsigned nth = 1; nth <= 3; nth++) {
        played p = device_of(rig);
        p.fail_from = p.fail_to = nth;
        dp_render *render =
            start(rig, &p, (dp_render_config){.workers = 2, .batch_max = 8, .retry_ms = 600000});
        for (unsigned i = 0; i < 24; i++) {
            submit(render, source, i, DP_OK);
        }
        wait_for(24);
        unsigned by_cpu = 0;
        for (unsigned i = 0; i < 24; i++) {
            const outcome *o = &notes.outcomes[i];
            assert_int_equal(o->status, DP_OK);
            assert_true(o->sum == sum);
            assert_true(strcmp(o->engine, "cuda") == 0 ||
                        strcmp(o->engine, "cpu (cuda failed)") == 0);
            by_cpu += strcmp(o->engine, "cuda") != 0;
        }
        dp_render_stop(render);
        dp_render_stats_read(render, &stats);
        assert_true(by_cpu > 0);
        assert_int_equal(stats.spare_items, 2 * by_cpu);
        assert_int_equal(stats.batches_failed, 1);
        assert_int_equal(stats.device, DP_RENDER_DEVICE_FAILED);
        assert_int_equal(atomic_load(&p.runs), nth);
        assert_int_equal(atomic_load(&p.tells), 1);
        dp_render_destroy(render);
    }
    dp_put(source);
}

static void a_device_that_comes_back_is_used_again(void **state)
{
    render_rig *rig = *state;
    dp_render_stats stats;
    NEED_PNG;
    dp_buf *source = source_of(rig);
    played p = device_of(rig);
    p.fail_from = 2;
    p.fail_to = 3;
    dp_render *render =
        start(rig, &p, (dp_render_config){.workers = 1, .batch_max = 2, .retry_ms = 20});
    unsigned sent = 0;
    do {
        assert_true(sent < JOBS_MAX);
        submit(render, source, sent, DP_OK);
        wait_for(++sent);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        dp_render_stats_read(render, &stats);
    } while (stats.batches_failed < 2 || stats.device != DP_RENDER_DEVICE_OK);
    assert_string_equal(notes.outcomes[0].engine, "cuda");
    assert_string_equal(notes.outcomes[1].engine, "cpu (cuda failed)");
    assert_string_equal(notes.outcomes[sent - 1].engine, "cuda");
    /* failed, tried, failed, tried, ok */
    dp_render_destroy(render);
    assert_int_equal(atomic_load(&p.tells), 5);
    dp_put(source);
}

static void one_item_that_the_device_has_no_memory_for_costs_the_others_nothing(void **state)
{
    render_rig *rig = *state;
    dp_render_stats stats;
    NEED_PNG;
    dp_buf *source = source_of(rig);
    const uint64_t sum = sum_by_cpu(rig, source);
    played p = device_of(rig);
    p.item_fails = 10;
    dp_render *render = start(rig, &p, (dp_render_config){.workers = 2});
    for (unsigned i = 0; i < 50; i++) {
        submit(render, source, i, DP_OK);
    }
    wait_for(50);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(notes.outcomes[i].status, DP_OK);
        assert_true(notes.outcomes[i].sum == sum);
    }
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.spare_items, 10);
    assert_int_equal(stats.batches_failed, 0);
    assert_int_equal(stats.device, DP_RENDER_DEVICE_OK);
    dp_put(source);
    dp_render_destroy(render);
}

/* Of the two outputs one is the whole drawing, the other a cut of it. */
static void drawings_meet_in_batches_and_their_plans_are_found_again(void **state)
{
    static const dp_cache_key key = {.bytes = {3}};
    render_rig *rig = *state;
    dp_render_stats stats;
    NEED_PNG_AND_DRAWINGS;
    dp_buf *source = sticker_of(rig);
    const uint64_t sum = sum_by_cpu(rig, source);
    for (int keyed = 0; keyed < 2; keyed++) {
        played p = device_of(rig);
        p.base.ops = &drawing_ops;
        submit_key = keyed ? &key : NULL;
        dp_render *render = start(rig, &p, (dp_render_config){.workers = 2, .batch_max = 64});
        for (unsigned i = 0; i < 40; i++) {
            submit(render, source, i, DP_OK);
        }
        wait_for(40);
        for (unsigned i = 0; i < 40; i++) {
            assert_int_equal(notes.outcomes[i].status, DP_OK);
            assert_string_equal(notes.outcomes[i].engine, "cuda");
            assert_true(notes.outcomes[i].sum == sum);
        }
        dp_render_stats_read(render, &stats);
        assert_int_equal(stats.batch_items, 80);
        assert_int_equal(stats.spare_items, 0);
        assert_int_equal(atomic_load(&p.drawings), 40);
        /* Two workers may both make the first one's. */
        assert_true(keyed ? atomic_load(&p.again) >= 38 : atomic_load(&p.again) == 0);
        dp_render_destroy(render);
    }
    submit_key = NULL;
    dp_put(source);
}

static void drawings_that_a_device_fails_at_or_does_not_take_are_the_cpus(void **state)
{
    static const char *const engines[] = {"cpu", "cpu (cuda failed)"};
    render_rig *rig = *state;
    dp_render_stats stats;
    NEED_PNG_AND_DRAWINGS;
    dp_buf *source = sticker_of(rig);
    const uint64_t sum = sum_by_cpu(rig, source);
    for (int takes = 0; takes < 2; takes++) {
        played p = device_of(rig);
        p.base.ops = takes ? &drawing_ops : &played_ops;
        p.fail_from = 1;
        p.fail_to = UINT32_MAX;
        dp_render *render =
            start(rig, &p, (dp_render_config){.workers = 2, .batch_max = 8, .retry_ms = 600000});
        for (unsigned i = 0; i < 24; i++) {
            submit(render, source, i, DP_OK);
        }
        wait_for(24);
        for (unsigned i = 0; i < 24; i++) {
            assert_int_equal(notes.outcomes[i].status, DP_OK);
            assert_string_equal(notes.outcomes[i].engine, engines[takes]);
            assert_true(notes.outcomes[i].sum == sum);
        }
        dp_render_stats_read(render, &stats);
        assert_int_equal(stats.batches_failed, takes);
        assert_int_equal(stats.spare_items, takes ? 48 : 0);
        dp_render_destroy(render);
    }
    dp_put(source);
}

static void a_slow_device_makes_a_job_late_not_lost(void **state)
{
    render_rig *rig = *state;
    dp_render_stats stats;
    NEED_PNG;
    dp_buf *source = source_of(rig);
    played p = device_of(rig);
    p.delay_ms = 300;
    dp_render *render = start(rig, &p, (dp_render_config){.workers = 1, .time_ms_max = 100});
    submit(render, source, 0, DP_OK);
    wait_for(1);
    assert_int_equal(notes.outcomes[0].status, DP_ERR_TIMEOUT);
    assert_string_equal(notes.outcomes[0].message, "the picture takes too long to render");
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.late, 1);
    dp_put(source);
    dp_render_destroy(render);
}

static void workers_help_when_the_device_has_its_hands_full(void **state)
{
    render_rig *rig = *state;
    dp_render_stats stats;
    unsigned by_cpu = 0;
    NEED_PNG;
    dp_buf *source = source_of(rig);
    const uint64_t sum = sum_by_cpu(rig, source);
    played p = device_of(rig);
    p.delay_ms = 50;
    /* Room for the pictures of about two jobs. */
    dp_render *render = start(rig, &p, (dp_render_config){.workers = 1, .device_bytes_max = 60000});
    for (unsigned i = 0; i < 40; i++) {
        submit(render, source, i, DP_OK);
    }
    wait_for(40);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(notes.outcomes[i].status, DP_OK);
        assert_true(notes.outcomes[i].sum == sum);
        by_cpu += strcmp(notes.outcomes[i].engine, "cpu") == 0;
    }
    assert_in_range(by_cpu, 1, 39);
    dp_render_stats_read(render, &stats);
    assert_int_equal(stats.spare_items, 0); /* the device did not fail */
    assert_int_equal(stats.batch_items, 2 * (40 - by_cpu));
    dp_put(source);
    dp_render_destroy(render);
}

static void destroy_waits_for_what_the_device_has(void **state)
{
    render_rig *rig = *state;
    NEED_PNG;
    dp_buf *source = source_of(rig);
    played p = device_of(rig);
    p.delay_ms = 20;
    dp_render *render = start(rig, &p, (dp_render_config){.workers = 2, .batch_max = 4});
    for (unsigned i = 0; i < 40; i++) {
        submit(render, source, i, DP_OK);
    }
    dp_render_destroy(render);
    assert_int_equal(notes.done, 40);
    for (unsigned i = 0; i < 40; i++) {
        assert_true(notes.outcomes[i].status == DP_OK || notes.outcomes[i].status == DP_ERR_CLOSED);
    }
    dp_put(source);
}

static void no_failed_creation_leaks_or_keeps_the_device_open(void **state)
{
    render_rig *rig = *state;
    uint64_t nth = 1;
    for (;; nth++) {
        played p = device_of(rig);
        dp_render *render = NULL;
        os_malloc_fail_nth(nth);
        const dp_status status =
            render_create_over(rig->pool, &(dp_render_config){.workers = 1}, &p.base, &render);
        const bool fired = os_malloc_fail_nth(0) == 0;
        assert_true(fired == (status != DP_OK));
        dp_render_destroy(render);
        assert_true(atomic_load(&p.closed));
        if (!fired) {
            break;
        }
        assert_null(render);
    }
    assert_true(nth > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(jobs_of_many_workers_meet_in_batches),
        RIG_TEST(a_failed_batch_is_done_by_the_cpu_and_every_job_still_succeeds),
        RIG_TEST(a_device_that_comes_back_is_used_again),
        RIG_TEST(one_item_that_the_device_has_no_memory_for_costs_the_others_nothing),
        RIG_TEST(drawings_meet_in_batches_and_their_plans_are_found_again),
        RIG_TEST(drawings_that_a_device_fails_at_or_does_not_take_are_the_cpus),
        RIG_TEST(a_slow_device_makes_a_job_late_not_lost),
        RIG_TEST(workers_help_when_the_device_has_its_hands_full),
        RIG_TEST(destroy_waits_for_what_the_device_has),
        RIG_TEST(no_failed_creation_leaks_or_keeps_the_device_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
