/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench render-gpu: batches of stickers on a GPU, beside one CPU thread in the same run.
 *
 * Scenes come from a pack (tests/scene_pack.c), so that a machine without expat will do.  Three
 * figures: from cached scenes to straight pixels in pinned memory by the backend itself, the
 * scenes' plans being kept as danpoold keeps them; from scenes alone, one thread planning one batch
 * while the GPU draws the other; and what the fine kernel moves, beside a copy within the device's
 * memory. Pixels are compared with the CPU's before anything is timed.  Memory is the pool's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp_features.h"
#include "harness.h"

#define SIDE         128u
#define BYTES_EACH   ((size_t)SIDE * SIDE * 4)
#define DRAWINGS_MAX 1024u
#define BATCHES      2u
#define PLAN_BYTES   ((size_t)96 << 20)

static const char *const rows[] = {"1024 at 128 px, cached scenes to pinned",
                                   "1024 at 128 px, planned anew by one thread", "fine kernel"};
#define ROWS (sizeof rows / sizeof rows[0])

static const char *pack_name = "build/scenes/twemoji.scenes";

static void skip_all(bench *b, const char *why)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (bench_wants(b, rows[i])) {
            bench_skip(b, rows[i], why);
        }
    }
}

#if DP_HAVE_CUDA

#include <danpool/pool.h>

#include "kernels/cuda_launch.h"
#include "render/backend.h"
#include "render/drawing.h"
#include "render/svg/draw_batch.h"
#include "render/svg/scene_pack.h"

/* One of the batches that take turns. */
typedef struct lane {
    draw_batch batch;
    draw_memory memory;
    dp_buf *host, *device, *targets, *results;
    uint64_t stream;
} lane;

typedef struct work {
    dp_pool *pool;
    draw_context *context;
    void *pack;
    scene *scenes;
    size_t scene_count;
    uint8_t *pixels; /* one drawing of the CPU's */
    lane lanes[BATCHES];
    uint32_t count; /* drawings in a batch */
    render_task task;
    backend *cuda, *cpu;
    picture targets[DRAWINGS_MAX], right;
    drawing_plan **plans; /* [scene] */
    backend_item items[DRAWINGS_MAX];
    backend_item *list[DRAWINGS_MAX];
    char note[160];
} work;

static const scene *scene_of(const work *w, uint32_t drawing)
{
    return &w->scenes[drawing % w->scene_count];
}

/* Reads the pack and opens its scenes; NULL, or why not. */
static const char *load(work *w)
{
    FILE *in = fopen(pack_name, "rb");
    size_t offset = 0, capacity = 0;
    scene s;

    if (in == NULL) {
        return "no scene pack (--scenes; tests/kernels_emoji.sh makes them)";
    }
    (void)fseek(in, 0, SEEK_END);
    const size_t size_bytes = (size_t)ftell(in);
    rewind(in);
    w->pack = malloc(size_bytes + 1);
    const bool whole = w->pack != NULL && fread(w->pack, 1, size_bytes, in) == size_bytes;
    fclose(in);
    while (whole && scene_pack_next(w->pack, size_bytes, &offset, &s) == DP_OK) {
        if (w->scene_count == capacity) {
            capacity = capacity == 0 ? 256 : 2 * capacity;
            scene *scenes = realloc(w->scenes, capacity * sizeof *scenes);
            if (scenes == NULL) {
                return "no memory for the scenes";
            }
            w->scenes = scenes;
        }
        w->scenes[w->scene_count++] = s;
    }
    return w->scene_count == 0 ? "the scene pack cannot be read" : NULL;
}

static dp_buf *take(dp_pool *pool, size_t size_bytes, uint8_t need)
{
    const dp_request request = {.size_bytes = size_bytes,
                                .kind = need == DP_NEED_DEVICE ? DP_KIND_SURFACE : DP_KIND_TEXT,
                                .need = need};
    dp_buf *buf = NULL;
    return dp_get(pool, &request, &buf) == DP_OK ? buf : NULL;
}

static const char *open_lane(work *w, lane *l)
{
    const uint8_t pinned = DP_NEED_HOST | DP_NEED_DEVICE;

    l->host = take(w->pool, PLAN_BYTES, pinned);
    l->results = take(w->pool, DRAWINGS_MAX * BYTES_EACH, pinned);
    l->device = take(w->pool, PLAN_BYTES, DP_NEED_DEVICE);
    l->targets = take(w->pool, DRAWINGS_MAX * BYTES_EACH, DP_NEED_DEVICE);
    if (l->host == NULL || l->results == NULL || l->device == NULL || l->targets == NULL) {
        return "the pool has not the pinned and device memory for two batches";
    }
    l->memory = (draw_memory){.host = dp_buf_data(l->host),
                              .device = dp_buf_device_address(l->device),
                              .size_bytes = PLAN_BYTES};
    return cuda_stream_open(&l->stream);
}

static void close_lane(lane *l)
{
    cuda_stream_close(l->stream);
    draw_batch_drop(&l->batch);
    dp_put(l->host);
    dp_put(l->results);
    dp_put(l->device);
    dp_put(l->targets);
}

/* Plans as many drawings as there is room for. */
static uint32_t fill(const work *w, lane *l)
{
    const uint64_t targets = dp_buf_device_address(l->targets);
    uint32_t i = 0;

    draw_batch_begin(&l->batch, &l->memory);
    while (i < DRAWINGS_MAX &&
           draw_batch_add(&l->batch, w->context, scene_of(w, i), (const uint32_t[2]){SIDE, SIDE},
                          targets + i * BYTES_EACH) == DP_OK) {
        i++;
    }
    return i;
}

/* Upload, drawing, and the way back, without waiting. */
static const char *start(const work *w, lane *l)
{
    const char *failure = draw_batch_run_cuda(&l->batch, l->stream);
    return failure != NULL
               ? failure
               : cuda_stream_download(l->stream, dp_buf_data(l->results),
                                      dp_buf_device_address(l->targets), w->count * BYTES_EACH);
}

/* NULL when the GPU's pixels are the CPU's. */
static const char *verify(work *w)
{
    lane *l = &w->lanes[0];

    w->count = fill(w, l);
    if (w->count == 0 || l->batch.job_count != 0) {
        return "the pack's scenes do not fit, or have filters";
    }
    const char *failure = start(w, l);
    failure = failure != NULL ? failure : cuda_stream_wait(l->stream);
    for (uint32_t i = 0; i < w->count && failure == NULL; i++) {
        const uint8_t *got = (const uint8_t *)dp_buf_data(l->results) + i * BYTES_EACH;
        if (draw_scene(w->context, scene_of(w, i), SIDE, SIDE, w->pixels, (size_t)SIDE * 4) !=
                DP_OK ||
            memcmp(got, w->pixels, BYTES_EACH) != 0) {
            failure = "the GPU's pixels are not the CPU's";
        }
    }
    return failure;
}

/* The backend's items, with plans that were found again; NULL, or why not. */
static const char *open_items(work *w)
{
    const uint32_t size[2] = {SIDE, SIDE};
    char detail[BACKEND_DETAIL_BYTES];

    w->task = (render_task){.pool = w->pool};
    w->plans = calloc(w->scene_count, sizeof *w->plans);
    if (w->plans == NULL || backend_cpu_open(w->pool, detail, &w->cpu) != DP_OK ||
        backend_cuda_open(w->pool, detail, &w->cuda) != DP_OK ||
        picture_take(&w->task, SIDE, SIDE, 1, &w->right) != DP_OK) {
        return "the backends cannot be opened";
    }
    for (uint32_t i = 0; i < DRAWINGS_MAX; i++) {
        drawing_plan **plan = &w->plans[i % w->scene_count];
        if (*plan == NULL && drawing_plan_make(&w->task, scene_of(w, i), size, plan) != DP_OK) {
            return "a scene of the pack cannot be planned";
        }
        atomic_store(&(*plan)->uses, 1);
        if (picture_take(&w->task, SIDE, SIDE, 1, &w->targets[i]) != DP_OK ||
            dp_buf_tier(w->targets[i].buf) != DP_TIER_PINNED) {
            return "the pool has no pinned memory for the results";
        }
        w->items[i] = (backend_item){.kind = BACKEND_RASTER,
                                     .task = &w->task,
                                     .scene = scene_of(w, i),
                                     .plan = *plan,
                                     .target = &w->targets[i]};
        w->list[i] = &w->items[i];
    }
    return NULL;
}

static void close_items(work *w)
{
    for (uint32_t i = 0; i < DRAWINGS_MAX; i++) {
        picture_drop(&w->targets[i]);
    }
    picture_drop(&w->right);
    for (size_t i = 0; w->plans != NULL && i < w->scene_count; i++) {
        drawing_plan_put(w->plans[i]);
    }
    free(w->plans);
    if (w->cuda != NULL) {
        w->cuda->ops->close(w->cuda);
    }
    drawing_forget();
}

static bool draw_right(work *w, uint32_t i)
{
    return drawing_raster(&w->task, scene_of(w, i), &w->right) == DP_OK;
}

/* Twice: the second time from plans that stayed. */
static const char *verify_backend(work *w)
{
    char detail[BACKEND_DETAIL_BYTES];
    for (int round = 0; round < 2; round++) {
        if (w->cuda->ops->run(w->cuda, w->list, DRAWINGS_MAX, detail) != DP_OK) {
            return "the device failed";
        }
        for (uint32_t i = 0; i < DRAWINGS_MAX; i++) {
            if (w->items[i].status != DP_OK || !draw_right(w, i) ||
                memcmp(w->targets[i].bytes, w->right.bytes, BYTES_EACH) != 0) {
                return "the backend's pixels are not the CPU's";
            }
            memset(w->targets[i].bytes, 0, BYTES_EACH);
        }
    }
    return NULL;
}

static double cpu_us(work *w)
{
    const uint64_t begun = bench_now_ns();
    for (uint32_t i = 0; i < DRAWINGS_MAX; i++) {
        (void)draw_right(w, i);
    }
    return (double)(bench_now_ns() - begun) / 1e3 / DRAWINGS_MAX;
}

/* Microseconds a drawing by the backend over some rounds. */
static double backend_us(work *w)
{
    const unsigned rounds = 6;
    char detail[BACKEND_DETAIL_BYTES];
    const uint64_t begun = bench_now_ns();

    for (unsigned round = 0; round < rounds; round++) {
        if (w->cuda->ops->run(w->cuda, w->list, DRAWINGS_MAX, detail) != DP_OK) {
            return NAN;
        }
    }
    return (double)(bench_now_ns() - begun) / 1e3 / rounds / DRAWINGS_MAX;
}

/* Microseconds a drawing from scenes, planned here, over some rounds. */
static double planned_us(work *w)
{
    const unsigned rounds = 6;
    const uint64_t begun = bench_now_ns();

    for (unsigned round = 0; round < rounds; round++) {
        lane *l = &w->lanes[round % BATCHES];
        if (cuda_stream_wait(l->stream) != NULL || fill(w, l) != w->count || start(w, l) != NULL) {
            return NAN;
        }
    }
    for (unsigned i = 0; i < BATCHES; i++) {
        if (cuda_stream_wait(w->lanes[i].stream) != NULL) {
            return NAN;
        }
    }
    return (double)(bench_now_ns() - begun) / 1e3 / rounds / w->count;
}

/* Bytes a second of the fine kernel, as a share of those of a copy, in percent. */
static double kernel_share(const work *w)
{
    const lane *l = &w->lanes[0];
    const uint64_t targets = dp_buf_device_address(l->targets);
    const uint64_t other = dp_buf_device_address(w->lanes[1].targets);
    const size_t drawn = w->count * BYTES_EACH;
    const double moved = (double)drawn + (double)l->batch.raster.front_bytes +
                         (double)l->batch.raster.tile_count * sizeof(raster_device_tile);
    const unsigned rounds = 40;
    double seconds[2];

    for (int copy = 0; copy < 2; copy++) {
        uint64_t begun = 0;
        /* The first one warms up. */
        for (unsigned i = 0; i <= rounds; i++) {
            const char *failure = copy ? cuda_stream_copy(l->stream, other, targets, drawn)
                                       : raster_batch_draw_cuda(&l->batch.raster, 0, l->stream);
            if (failure != NULL || (i == 0 && cuda_stream_wait(l->stream) != NULL)) {
                return NAN;
            }
            begun = i == 0 ? bench_now_ns() : begun;
        }
        if (cuda_stream_wait(l->stream) != NULL) {
            return NAN;
        }
        seconds[copy] = (double)(bench_now_ns() - begun) / 1e9 / rounds;
    }
    return 100 * (moved / seconds[0]) / (2 * (double)drawn / seconds[1]);
}

static void time_row(bench *b, work *w, bool kept)
{
    bench_samples ours = {.count = 0}, theirs = {.count = 0};

    for (int i = 0; i < bench_repeats(b); i++) {
        bench_samples_add(&ours, kept ? backend_us(w) : planned_us(w));
        bench_samples_add(&theirs, cpu_us(w));
    }
    const bench_row row = {
        .name = rows[kept ? 0 : 1],
        .unit = "us/icon",
        .value = bench_samples_quantile(&ours, 0.5),
        .min = bench_samples_min(&ours),
        .p50 = bench_samples_quantile(&ours, 0.5),
        .p99 = NAN,
        .peers = {{"one CPU thread", bench_samples_quantile(&theirs, 0.5), NAN}},
        .peer_count = 1,
        .goal = {.kind = kept ? BENCH_GOAL_RATIO_MAX : BENCH_GOAL_NONE, .limit = 0.01},
        .note = w->note};
    bench_emit(b, &row);
}

static void kernel_row(bench *b, work *w)
{
    bench_samples share = {.count = 0};

    for (int i = 0; i < bench_repeats(b); i++) {
        bench_samples_add(&share, kernel_share(w));
    }
    const bench_row row = {.name = rows[2],
                           .unit = "% of a copy's bytes/s",
                           .value = bench_samples_quantile(&share, 0.5),
                           .min = bench_samples_min(&share),
                           .p50 = bench_samples_quantile(&share, 0.5),
                           .p99 = NAN,
                           .more_is_better = true,
                           .goal = {.kind = BENCH_GOAL_VALUE_MIN, .limit = 60},
                           .note = "bytes: plans read once, pixels written once"};
    bench_emit(b, &row);
}

static void measure(bench *b, work *w)
{
    const char *failure = load(w);

    for (unsigned i = 0; i < BATCHES && failure == NULL; i++) {
        failure = open_lane(w, &w->lanes[i]);
    }
    if (failure != NULL) {
        skip_all(b, failure);
        return;
    }
    failure = verify(w);
    if (failure != NULL) {
        bench_fail(b, "%s", failure);
        return;
    }
    failure = open_items(w);
    if (failure != NULL) {
        skip_all(b, failure);
        return;
    }
    failure = verify_backend(w);
    if (failure != NULL) {
        bench_fail(b, "%s", failure);
        return;
    }
    (void)snprintf(w->note, sizeof w->note, "batches of %u drawings of %zu scenes", w->count,
                   w->scene_count);
    if (bench_wants(b, rows[0])) {
        time_row(b, w, true);
    }
    if (bench_wants(b, rows[1])) {
        time_row(b, w, false);
    }
    if (bench_wants(b, rows[2])) {
        kernel_row(b, w);
    }
}

static void run(bench *b)
{
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    const char *absent = cuda_launch_probe();
    work *w = calloc(1, sizeof *w);

    if (absent != NULL || w == NULL) {
        skip_all(b, absent != NULL ? absent : "no memory");
        free(w);
        return;
    }
    w->pixels = malloc(BYTES_EACH);
    if (w->pixels != NULL && draw_context_create(&w->context) == DP_OK &&
        dp_pool_create(&config, &w->pool) == DP_OK) {
        measure(b, w);
    } else {
        skip_all(b, "no memory");
    }
    for (unsigned i = 0; i < BATCHES; i++) {
        close_lane(&w->lanes[i]);
    }
    if (w->pool != NULL) {
        close_items(w);
        dp_pool_destroy(w->pool);
    }
    draw_context_destroy(w->context);
    free(w->scenes);
    free(w->pack);
    free(w->pixels);
    free(w);
}

#else

static void run(bench *b)
{
    skip_all(b, "built without the CUDA kernels (preset cuda has them)");
}

#endif

int main(int argc, char **argv)
{
    const bench_option options[] = {{.name = "--scenes",
                                     .value_name = "FILE",
                                     .help = "scene pack to draw",
                                     .text = &pack_name}};
    const bench_config config = {.name = "render-gpu",
                                 .summary = "Stickers on a GPU, in batches.",
                                 .repeats_default = 9,
                                 .repeats_quick = 1,
                                 .options = options,
                                 .option_count = 1};
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);

    if (b == NULL) {
        return status;
    }
    run(b);
    return bench_close(b);
}
