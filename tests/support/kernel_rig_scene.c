/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole drawings: batches of random scenes, groups with filters inside of groups with filters,
 * against draw_scene().
 */
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernel_rig.h"
#include "kernels/cuda_launch.h"
#include "pool/os.h"
#include "render/svg/draw_pack.h"

#define SCENES   10u
#define PATHS    8u
#define FILTERS  4u
#define PARTS    5u
#define COMMANDS 64u
#define DEPTH    4u
#define SIDE     50u

/* A scene and what it points to. */
typedef struct drawing {
    scene s;
    scene_header header;
    uint8_t verbs[PATHS * 5];
    scene_point points[PATHS * 6];
    scene_path paths[PATHS];
    scene_matrix matrices[2];
    scene_paint paints[PATHS];
    scene_filter filters[FILTERS];
    scene_filter_part parts[FILTERS * PARTS];
    scene_command commands[COMMANDS + 2 * DEPTH];
    uint32_t size[2];
    uint8_t *want;
    uint64_t target;
    uint64_t front; /* of a pack that stays on the device, else 0 */
} drawing;

static uint32_t below(uint32_t end)
{
    return kernel_rig_random() % end;
}

static float between(float low, float high)
{
    return low + (high - low) * (float)below(4097) / 4096.0f;
}

static void make_paths(drawing *d)
{
    static const uint8_t verbs[5] = {SCENE_MOVE, SCENE_LINE, SCENE_CUBIC, SCENE_LINE, SCENE_CLOSE};
    for (uint32_t i = 0; i < PATHS; i++) {
        scene_path *path = &d->paths[i];
        memcpy(d->verbs + 5 * i, verbs, 5);
        *path = (scene_path){.first_verb = 5 * i,
                             .verb_count = 5,
                             .first_point = 6 * i,
                             .point_count = 6,
                             .bounds = {-10, -10, 60, 60}};
        for (uint32_t p = 0; p < 6; p++) {
            d->points[6 * i + p] = (scene_point){between(-10, 60), between(-10, 60)};
        }
        d->paints[i] = (scene_paint){.kind = SCENE_SOLID,
                                     .colour = kernel_rig_random() << 8 ^ kernel_rig_random()};
    }
}

static uint32_t random_input(uint32_t part)
{
    const uint32_t pick = below(part + 2);
    return pick < part ? pick : (pick == part ? SCENE_IN_GRAPHIC : SCENE_IN_ALPHA);
}

static void make_filter(drawing *d, uint32_t index)
{
    scene_filter *filter = &d->filters[index];
    *filter = (scene_filter){
        .region = {between(-10, 10), between(-10, 10), between(30, 60), between(30, 60)},
        .first_part = index * PARTS,
        .part_count = 1 + below(PARTS)};
    for (uint32_t i = 0; i < filter->part_count; i++) {
        scene_filter_part *part = &d->parts[filter->first_part + i];
        *part = (scene_filter_part){.op = below(SCENE_FE_COUNT),
                                    .input = random_input(i),
                                    .other = random_input(i),
                                    .colour = kernel_rig_random() << 8 ^ kernel_rig_random(),
                                    .linear = below(2),
                                    .region = filter->region};
        part->mode = part->op == SCENE_FE_COMPOSITE ? below(SCENE_COMPOSITE_COUNT)
                                                    : below(SCENE_BLEND_COUNT);
        for (int v = 0; v < 20; v++) {
            part->values[v] = between(-1, 3);
        }
    }
}

static void add_fill(drawing *d)
{
    d->commands[d->s.command_count++] = (scene_command){.op = SCENE_FILL,
                                                        .rule = (uint8_t)below(2),
                                                        .path = below(PATHS),
                                                        .matrix = below(2),
                                                        .paint = below(PATHS),
                                                        .stroke = SCENE_NONE,
                                                        .filter = SCENE_NONE,
                                                        .opacity = between(0, 1)};
}

static void make_commands(drawing *d, bool plain)
{
    uint32_t open[DEPTH], depth = 0;

    while (d->s.command_count < COMMANDS - 1 || depth > 0) {
        const uint32_t pick = d->s.command_count >= COMMANDS - 1 ? 0 : 1 + below(6);
        const uint32_t at = d->s.command_count;
        if (pick <= 1 && depth > 0) {
            d->commands[at] = (scene_command){.op = SCENE_GROUP_END, .partner = open[--depth]};
            d->commands[open[depth]].partner = at;
            d->s.command_count++;
        } else if (pick == 2 && depth < DEPTH) {
            open[depth++] = at;
            d->commands[at] =
                (scene_command){.op = SCENE_GROUP_BEGIN,
                                .blend = (uint8_t)below(SCENE_BLEND_COUNT),
                                .matrix = below(2),
                                .filter = plain || below(3) == 0 ? SCENE_NONE : below(FILTERS),
                                .opacity = between(0.2f, 1)};
            d->s.command_count++;
        } else {
            add_fill(d);
        }
    }
}

/* `plain`: without filters. */
static void make_drawing(drawing *d, bool plain)
{
    memset(d, 0, sizeof *d);
    d->header.width = d->header.height = 50;
    d->s = (scene){.header = &d->header,
                   .verbs = d->verbs,
                   .points = d->points,
                   .paths = d->paths,
                   .matrices = d->matrices,
                   .paints = d->paints,
                   .filters = d->filters,
                   .parts = d->parts,
                   .commands = d->commands};
    d->matrices[0] = (scene_matrix){1, 0, 0, 1, 0, 0};
    d->matrices[1] = (scene_matrix){0.8f, 0.3f, -0.2f, 0.9f, 5, -3};
    make_paths(d);
    for (uint32_t i = 0; i < FILTERS; i++) {
        make_filter(d, i);
    }
    make_commands(d, plain);
    d->size[0] = 1 + below(SIDE);
    d->size[1] = 1 + below(SIDE);
}

/* By way of a pack, whose front comes along or is on the device already. */
static dp_status add_packed(drawing *d, draw_batch *batch, draw_context *context)
{
    draw_packer packer = {.block = NULL};
    assert_int_equal(draw_pack_make(&packer, context, &d->s, d->size), DP_OK);
    draw_pack *pack =
        os_aligned(DRAW_PACK_ALIGNMENT, os_align_up(packer.head.size_bytes, DRAW_PACK_ALIGNMENT));
    assert_non_null(pack);
    draw_pack_write(&packer, pack);
    draw_packer_drop(&packer);
    if (draw_pack_can_stay(pack)) {
        d->front = kernel_rig_memory->take(draw_pack_front(pack), pack->front_bytes);
    }
    const dp_status status = draw_batch_put(batch, pack, d->front, d->target);
    os_free(pack);
    return status;
}

static void add_drawing(drawing *d, draw_batch *batch, draw_context *context, unsigned index)
{
    make_drawing(d, index == 0);
    d->front = 0;
    const size_t stride_bytes = (size_t)d->size[0] * 4;
    d->want = kernel_rig_bytes(stride_bytes * d->size[1]);
    d->target = kernel_rig_memory->take(NULL, stride_bytes * d->size[1]);
    assert_int_equal(draw_scene(context, &d->s, d->size[0], d->size[1], d->want, stride_bytes),
                     DP_OK);
    assert_int_equal(index % 2 == 0 ? add_packed(d, batch, context)
                                    : draw_batch_add(batch, context, &d->s, d->size, d->target),
                     DP_OK);
}

void kernel_rig_scene(void **state)
{
    const size_t size_bytes = (size_t)8 << 20, spare_bytes = (size_t)32 << 20;
    drawing *drawings = calloc(SCENES, sizeof *drawings);
    draw_batch batch = {0};
    draw_context *context;
    uint32_t levels = 0, jobs = 0, stayed = 0;
    (void)state;

    assert_non_null(drawings);
    assert_int_equal(draw_context_create(&context), DP_OK);
    const draw_memory memory = {.host = kernel_rig_bytes(size_bytes),
                                .device = kernel_rig_memory->take(NULL, size_bytes),
                                .size_bytes = size_bytes,
                                .spare = kernel_rig_memory->take(NULL, spare_bytes),
                                .spare_bytes = spare_bytes};
    for (int round = 0; round < KERNEL_RIG_ROUNDS(5) || (levels < 3 && round < 50); round++) {
        draw_batch_begin(&batch, &memory);
        for (uint32_t i = 0; i < SCENES; i++) {
            add_drawing(&drawings[i], &batch, context, i);
        }
        jobs += batch.job_count;
        levels = levels > batch.raster.level_count ? levels : batch.raster.level_count;
        const char *failure = draw_batch_run_cuda(&batch, 0);
        assert_string_equal(failure == NULL ? "" : failure, "");
        assert_null(cuda_stream_wait(0));
        for (uint32_t i = 0; i < SCENES; i++) {
            kernel_rig_expect(drawings[i].target, drawings[i].want,
                              (size_t)drawings[i].size[0] * drawings[i].size[1] * 4);
            free(drawings[i].want);
            if (drawings[i].front != 0) {
                kernel_rig_memory->give(drawings[i].front);
                stayed++;
            }
        }
    }
    assert_true(jobs > 0 && levels > 2 && stayed > 0);
    kernel_rig_memory->give(memory.device);
    kernel_rig_memory->give(memory.spare);
    free(memory.host);
    draw_batch_drop(&batch);
    draw_context_destroy(context);
    free(drawings);
}

/* As kernel_rig_scene_full(), of packs; what is measured is enough. */
static void put_into_any_size(drawing *d, draw_context *context, void *host)
{
    draw_packer packer = {.block = NULL};
    draw_batch batch = {.jobs = NULL};
    assert_int_equal(draw_pack_make(&packer, context, &d->s, d->size), DP_OK);
    draw_pack *pack = kernel_rig_bytes(packer.head.size_bytes);
    draw_pack_write(&packer, pack);
    const size_t enough = os_align_up(draw_pack_put_bytes(pack, false), 64) + 64;
    for (size_t bytes = 64; bytes <= enough; bytes += bytes + 64 < enough ? 64 : enough - bytes) {
        const draw_memory memory = {.host = host,
                                    .device = 64,
                                    .size_bytes = bytes,
                                    .spare = 64,
                                    .spare_bytes = pack->spare_bytes};
        draw_batch_begin(&batch, &memory);
        const draw_batch before = batch;
        const dp_status status = draw_batch_put(&batch, pack, 0, 64);
        assert_int_equal(status == DP_OK || (status == DP_ERR_BUSY && bytes < enough), 1);
        if (status == DP_ERR_BUSY) {
            assert_memory_equal(&batch.raster, &before.raster, sizeof before.raster);
            assert_int_equal(batch.job_count, before.job_count);
            assert_int_equal(batch.spare_used_bytes, before.spare_used_bytes);
        } else {
            draw_batch_seal(&batch);
        }
        if (bytes == enough) {
            break;
        }
    }
    draw_batch_drop(&batch);
    draw_packer_drop(&packer);
    free(pack);
}

/* A batch of any size is either as before or has the whole drawing. */
void kernel_rig_scene_full(void **state)
{
    drawing *d = calloc(1, sizeof *d);
    draw_batch batch = {0};
    draw_context *context;
    dp_status status = DP_ERR_BUSY;
    (void)state;

    assert_non_null(d);
    make_drawing(d, false);
    assert_int_equal(draw_context_create(&context), DP_OK);
    void *host = kernel_rig_bytes((size_t)1 << 20);
    for (size_t bytes = 64; status == DP_ERR_BUSY; bytes *= 2) {
        const draw_memory memory = {
            .host = host, .device = 64, .size_bytes = bytes, .spare = 64, .spare_bytes = 8 * bytes};
        assert_true(bytes <= (size_t)1 << 20);
        draw_batch_begin(&batch, &memory);
        for (int tries = 0; tries < 3; tries++) {
            const draw_batch before = batch;
            status = draw_batch_add(&batch, context, &d->s, d->size, 64);
            assert_true(status == DP_OK || status == DP_ERR_BUSY);
            if (status == DP_ERR_BUSY) {
                assert_memory_equal(&batch.raster, &before.raster, sizeof before.raster);
                assert_int_equal(batch.job_count, before.job_count);
                assert_int_equal(batch.spare_used_bytes, before.spare_used_bytes);
                break;
            }
        }
    }
    put_into_any_size(d, context, host);
    /* Every allocation on the way may fail. */
    const draw_memory memory = {.host = host,
                                .device = 64,
                                .size_bytes = (size_t)1 << 20,
                                .spare = 64,
                                .spare_bytes = (size_t)32 << 20};
    status = DP_ERR_NOMEM;
    for (uint64_t nth = 1; status == DP_ERR_NOMEM; nth++) {
        draw_batch_drop(&batch);
        draw_context_trim(context);
        draw_batch_begin(&batch, &memory);
        os_malloc_fail_nth(nth);
        status = draw_batch_add(&batch, context, &d->s, d->size, 64);
        os_malloc_fail_nth(0);
        assert_true(status == DP_OK || batch.raster.tile_count == 0);
    }
    assert_int_equal(status, DP_OK);
    draw_batch_drop(&batch);
    draw_context_destroy(context);
    free(host);
    free(d);
}
