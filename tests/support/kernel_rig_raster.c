/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fine pass: batches of random plans, with shapes that overlap themselves, gradients, clips,
 * groups, masks and layers, all levels deep, on canvases of unlike sizes.
 */
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernel_rig.h"
#include "kernels/cuda_launch.h"
#include "kernels/raster_batch.h"
#include "raster_rig.h"

#define PLANS 12u
#define DEPTH 5u
#define SIDE  50u

/* One picture of a batch. */
typedef struct picture {
    uint8_t *want;
    uint64_t target;
    size_t size_bytes;
} picture;

/* What a random plan is made from. */
typedef struct maker {
    plan p;
    scene s;
    scene_stop stops[4];
    uint8_t layer[20 * 30 * 4];
    uint32_t left; /* shapes still to be drawn */
    uint32_t seen; /* a bit for each raster_op that was in a plan, and one for thinned clips */
} maker;

static uint32_t below(uint32_t end)
{
    return kernel_rig_random() % end;
}

static float random_float(float low, float high)
{
    return low + (high - low) * (float)below(10001) / 10000.0f;
}

static uint32_t random_colour(void)
{
    const uint32_t alpha = below(3) == 0 ? 255 : below(256);
    uint32_t out = alpha << 24;
    for (int i = 0; i < 24; i += 8) {
        out |= below(alpha + 1) << i;
    }
    return out;
}

static void add_lines(plan *p)
{
    const int32_t wide = (int32_t)p->width * RASTER_ONE, high = (int32_t)p->height * RASTER_ONE;
    int32_t xy[2 * 12];
    const uint32_t points = 3 + below(10);

    if (below(4) == 0) {
        rig_rect(p, 0, 0, wide, high);
        return;
    }
    for (uint32_t i = 0; i < points; i++) {
        xy[2 * i] = (int32_t)below((uint32_t)wide + 1);
        xy[2 * i + 1] = (int32_t)below((uint32_t)high + 1);
        if (below(3) == 0) {
            xy[2 * i] &= ~(RASTER_ONE - 1);
            xy[2 * i + 1] &= ~(RASTER_ONE - 1);
        }
    }
    rig_polygon(p, xy, points);
    if (below(3) == 0) {
        /* The same once more: an overlap everywhere. */
        rig_polygon(p, xy, points);
    }
}

/* A gradient of any kind; false: nothing to be seen of it. */
static bool random_gradient(maker *m, raster_command *out)
{
    scene_paint paint = {.kind = below(2) == 0 ? SCENE_LINEAR : SCENE_RADIAL,
                         .spread = below(3),
                         .first_stop = below(2),
                         .stop_count = 2 + below(2),
                         .matrix = {random_float(-2, 2), random_float(-2, 2), random_float(-2, 2),
                                    random_float(-2, 2), random_float(-9, 9), random_float(-9, 9)}};
    const scene_matrix identity = {1, 0, 0, 1, 0, 0};
    for (int i = 0; i < 6; i++) {
        paint.geometry[i] = random_float(0, 40);
    }
    if (paint.kind == SCENE_RADIAL && below(2) == 0) {
        paint.geometry[3] = paint.geometry[0];
        paint.geometry[4] = paint.geometry[1];
        paint.geometry[5] = 0;
    }
    return plan_paint(&m->p, &m->s, &paint, &identity, random_float(0, 1), out);
}

static void add_shape(maker *m)
{
    const uint32_t first = m->p.lines.count;
    raster_command command = {.op = RASTER_COLOUR, .edges = RASTER_NONE, .value = random_colour()};

    if (m->p.collecting == 0 && below(3) == 0 && !random_gradient(m, &command)) {
        return;
    }
    if (m->p.collecting != 0) {
        command = (raster_command){.op = RASTER_CLIP_SHAPE, .edges = RASTER_NONE};
    } else if (command.op == RASTER_COLOUR) {
        command.opaque = command.value >> 24 == 255;
    }
    command.mode = (uint8_t)below(2);
    add_lines(&m->p);
    plan_shape(&m->p, first, &command);
    m->left = m->left == 0 ? 0 : m->left - 1;
}

static void add_layer(maker *m)
{
    const raster_layer layer = {.x = (int32_t)below(60) - 20,
                                .y = (int32_t)below(60) - 20,
                                .width = 20,
                                .height = 30,
                                .pixels = m->layer};
    plan_picture(&m->p, &layer, below(12), below(256));
}

static void add_content(maker *m)
{
    for (uint32_t count = 1 + below(3); count > 0; count--) {
        if (m->p.collecting == 0 && below(6) == 0) {
            add_layer(m);
        } else {
            add_shape(m);
        }
    }
}

/* Opens levels at random, and closes them all again. */
static void add_levels(maker *m)
{
    uint8_t kinds[DEPTH];
    uint32_t depth = 0;

    while (depth < DEPTH && below(4) != 0) {
        const uint8_t kind = (uint8_t)below(3);
        kinds[depth++] = kind;
        if (kind == 0) {
            plan_clip_begin(&m->p);
            add_content(m);
            if (below(2) == 0) {
                /* The outer clip's shapes, some of them within a clip of their own. */
                plan_clip_begin(&m->p);
                add_content(m);
                plan_clip_ready(&m->p);
                add_content(m);
                plan_clip_end(&m->p);
            }
            plan_clip_ready(&m->p);
        } else if (kind == 1) {
            plan_group_begin(&m->p, below(12), below(256));
        } else {
            plan_mask_begin(&m->p, below(2));
            add_content(m);
            plan_mask_ready(&m->p);
        }
        add_content(m);
    }
    while (depth > 0) {
        const uint8_t kind = kinds[--depth];
        if (kind == 0) {
            plan_clip_end(&m->p);
        } else if (kind == 1) {
            plan_group_end(&m->p);
        } else {
            plan_mask_end(&m->p);
        }
        add_content(m);
    }
}

static void make_plan(maker *m, raster_plan *out)
{
    for (size_t i = 0; i < 4; i++) {
        m->stops[i] = (scene_stop){(float)i / 3, kernel_rig_random() << 8 ^ kernel_rig_random()};
    }
    plan_begin(&m->p, 1 + below(SIDE), 1 + below(SIDE));
    m->left = 6;
    while (m->left > 0) {
        add_content(m);
        add_levels(m);
    }
    assert_int_equal(plan_end(&m->p, out), DP_OK);
    for (uint32_t i = 0; i < out->command_count; i++) {
        m->seen |= 1u << out->commands[i].op;
        if (out->commands[i].op == RASTER_CLIP_READY && out->commands[i].mode != 0) {
            m->seen |= 1u << RASTER_OP_COUNT;
        }
    }
}

/* Draws a plan by the CPU and adds it to the batch. */
static void add_picture(picture *pic, raster_batch *batch, const raster_plan *tiles)
{
    void *scratch;

    pic->size_bytes = (size_t)tiles->width * tiles->height * 4;
    pic->want = kernel_rig_bytes(pic->size_bytes);
    pic->target = kernel_rig_memory->take(NULL, pic->size_bytes);
    assert_int_equal(posix_memalign(&scratch, 64, RASTER_SCRATCH_BYTES), 0);
    raster_cpu(tiles, 0, tiles->rows, pic->want, (size_t)tiles->width * 4, scratch);
    free(scratch);
    const raster_destination to = {.pixels = pic->target, .level = below(3)};
    assert_int_equal(raster_batch_add(batch, tiles, &to), 1);
}

static void compare_batch(maker *m)
{
    const size_t size_bytes = (size_t)8 << 20;
    uint8_t *host = kernel_rig_bytes(size_bytes);
    const uint64_t device = kernel_rig_memory->take(NULL, size_bytes);
    picture pictures[PLANS];
    raster_batch batch;

    raster_batch_begin(&batch, host, device, size_bytes);
    assert_null(raster_batch_upload_cuda(&batch, 0));
    assert_null(raster_batch_draw_cuda(&batch, 0, 0));
    for (uint32_t i = 0; i < PLANS; i++) {
        raster_plan tiles;
        make_plan(m, &tiles);
        add_picture(&pictures[i], &batch, &tiles);
    }
    assert_null(raster_batch_upload_cuda(&batch, 0));
    for (uint32_t level = 0; level < batch.level_count; level++) {
        const char *failure = raster_batch_draw_cuda(&batch, level, 0);
        assert_string_equal(failure == NULL ? "" : failure, "");
    }
    assert_null(cuda_stream_wait(0));
    for (uint32_t i = 0; i < PLANS; i++) {
        kernel_rig_expect(pictures[i].target, pictures[i].want, pictures[i].size_bytes);
        free(pictures[i].want);
    }
    kernel_rig_memory->give(device);
    free(host);
}

void kernel_rig_raster(void **state)
{
    maker *m = calloc(1, sizeof *m);
    (void)state;
    assert_non_null(m);
    m->p.lines.lines_max = 1u << 16;
    m->s.stops = m->stops;
    for (size_t i = 0; i < sizeof m->layer; i += 4) {
        const uint32_t colour = random_colour();
        memcpy(m->layer + i, &colour, 4);
    }
    const uint32_t all = (2u << RASTER_OP_COUNT) - 1;
    for (int i = 0; i < KERNEL_RIG_ROUNDS(8) || (m->seen != all && i < 50); i++) {
        compare_batch(m);
    }
    assert_int_equal(m->seen, all);
    plan_drop(&m->p);
    free(m);
}

void kernel_rig_raster_full(void **state)
{
    maker *m = calloc(1, sizeof *m);
    uint8_t *host = kernel_rig_bytes(4096);
    raster_batch batch;
    raster_plan tiles;
    (void)state;
    assert_non_null(m);
    m->p.lines.lines_max = 1u << 16;
    plan_begin(&m->p, 40, 40);
    add_lines(&m->p);
    const raster_command command = {.op = RASTER_COLOUR, .value = UINT32_MAX, .opaque = 1};
    plan_shape(&m->p, 0, &command);
    assert_int_equal(plan_end(&m->p, &tiles), DP_OK);
    raster_batch_begin(&batch, host, 4096, 4096);
    uint32_t added = 0;
    const raster_destination to = {.pixels = 4096};
    while (raster_batch_add(&batch, &tiles, &to) != 0) {
        added++;
        assert_true(batch.front_bytes + batch.tile_count * sizeof(raster_device_tile) <= 4096);
    }
    assert_int_equal(batch.plan_count, added);
    assert_int_equal(batch.tile_count, 9 * added);
    assert_true((added + 1) * raster_batch_bytes(&tiles) > 4096);
    plan_drop(&m->p);
    free(host);
    free(m);
}
