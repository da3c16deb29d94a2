/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of a batch that the CPU does; see draw_batch.h.
 */
#include "render/svg/draw_batch.h"

#include <string.h>

#include "pool/os.h"
#include "render/svg/draw_pack.h"

#define SPARE_ALIGNMENT 64u

void draw_batch_begin(draw_batch *batch, const draw_memory *memory)
{
    batch->memory = *memory;
    batch->spare_used_bytes = 0;
    batch->job_count = 0;
    batch->jobs_memory = 0;
    raster_batch_begin(&batch->raster, memory->host, memory->device, memory->size_bytes);
}

void draw_batch_drop(draw_batch *batch)
{
    os_free(batch->jobs);
    batch->jobs = NULL;
    batch->job_count = batch->job_capacity = 0;
}

/* Device memory that nothing is uploaded to; 0: none left. */
static uint64_t take_spare(void *own, size_t size_bytes)
{
    draw_batch *batch = own;
    const size_t whole = os_align_up(size_bytes, SPARE_ALIGNMENT);

    if (whole > batch->memory.spare_bytes - batch->spare_used_bytes) {
        return 0;
    }
    const uint64_t at = batch->memory.spare + batch->spare_used_bytes;
    batch->spare_used_bytes += whole;
    return at;
}

static dp_status job_room(draw_batch *batch)
{
    if (batch->job_count < batch->job_capacity) {
        return DP_OK;
    }
    const uint32_t capacity = batch->job_capacity == 0 ? 64 : 2 * batch->job_capacity;
    filter_job *jobs = os_aligned(64, capacity * sizeof *jobs);
    if (jobs == NULL) {
        return DP_ERR_NOMEM;
    }
    if (batch->job_count != 0) {
        memcpy(jobs, batch->jobs, batch->job_count * sizeof *jobs);
    }
    os_free(batch->jobs);
    batch->jobs = jobs;
    batch->job_capacity = capacity;
    return DP_OK;
}

static dp_status add_filter(draw_batch *batch, const draw_stage *stage)
{
    const filter_program *program = stage->program;
    const size_t passes_bytes = program->pass_count * sizeof *program->passes;
    const dp_status status = job_room(batch);

    if (status != DP_OK) {
        return status;
    }
    const filter_job job = {.pixels = stage->pixels,
                            .scratch = take_spare(batch, filter_scratch_bytes(program)),
                            .passes =
                                raster_batch_put(&batch->raster, program->passes, passes_bytes),
                            .width = program->width,
                            .height = program->height,
                            .pass_count = program->pass_count,
                            .slot_count = program->slot_count,
                            .level = stage->level};
    if (job.scratch == 0 || job.passes == 0) {
        return DP_ERR_BUSY;
    }
    batch->jobs[batch->job_count++] = job;
    return DP_OK;
}

/* What a stage is added for. */
typedef struct addition {
    draw_batch *batch;
    uint64_t target;
} addition;

static uint64_t take_surfaces(void *own, size_t size_bytes)
{
    return take_spare(((addition *)own)->batch, size_bytes);
}

static dp_status add_stage(void *own, const draw_stage *stage)
{
    const addition *a = own;
    const raster_destination to = {.pixels = stage->program != NULL ? stage->pixels : a->target,
                                   .level = stage->level,
                                   .device_layers = 1};

    if (raster_batch_add(&a->batch->raster, stage->tiles, &to) == 0) {
        return DP_ERR_BUSY;
    }
    return stage->program != NULL ? add_filter(a->batch, stage) : DP_OK;
}

/* The jobs' own copy is made when the batch runs; there must be room. */
static bool jobs_fit(const draw_batch *batch)
{
    const raster_batch *raster = &batch->raster;
    const size_t left =
        raster->size_bytes - raster->front_bytes - raster->tile_count * sizeof(raster_device_tile);

    return batch->job_count == 0 ||
           batch->job_count * sizeof *batch->jobs + RASTER_BATCH_ALIGNMENT <= left;
}

void draw_batch_seal(draw_batch *batch)
{
    if (batch->job_count != 0) {
        batch->jobs_memory =
            raster_batch_put(&batch->raster, batch->jobs, batch->job_count * sizeof *batch->jobs);
        DP_ASSERT(batch->jobs_memory != 0);
    }
}

dp_status draw_batch_add(draw_batch *batch, draw_context *context, const scene *s,
                         const uint32_t size[2], uint64_t target)
{
    const raster_batch raster = batch->raster;
    const size_t spare_used_bytes = batch->spare_used_bytes;
    const uint32_t job_count = batch->job_count;
    addition a = {.batch = batch, .target = target};
    const draw_job job = {.width = size[0],
                          .height = size[1],
                          .surfaces = take_surfaces,
                          .stage = add_stage,
                          .own = &a};

    dp_status status = draw_stages(context, s, &job);
    if (status == DP_OK && !jobs_fit(batch)) {
        status = DP_ERR_BUSY;
    }
    if (status != DP_OK) {
        batch->raster = raster;
        batch->spare_used_bytes = spare_used_bytes;
        batch->job_count = job_count;
    }
    return status;
}

/* ---- drawings that were planned before ---- */

/* Where a pack's addresses are to point in this batch. */
typedef struct placing {
    uint64_t front; /* the pack's front on the device */
    uint64_t spare; /* its surfaces and scratch */
    uint64_t target;
    uint8_t *copy; /* the front's copy in the batch's block, or its first plan alone */
} placing;

static uint64_t in_front(const placing *to, uint64_t address)
{
    return address - DRAW_PACK_FRONT + to->front;
}

static uint64_t in_spare(const placing *to, uint64_t address)
{
    return address - DRAW_PACK_SPARE + to->spare;
}

static void move_plan(const placing *to, size_t plan_at)
{
    raster_device_plan *plan = (raster_device_plan *)(void *)(to->copy + plan_at);
    uint64_t *const arrays[] = {&plan->commands,  &plan->edges, &plan->refs,  &plan->lines,
                                &plan->gradients, &plan->ramps, &plan->layers};

    if (plan->layer_count != 0) {
        raster_device_layer *layers =
            (raster_device_layer *)(void *)(to->copy + (plan->layers - DRAW_PACK_FRONT));
        for (uint32_t i = 0; i < plan->layer_count; i++) {
            layers[i].pixels = in_spare(to, layers[i].pixels);
        }
    }
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i] = in_front(to, *arrays[i]);
    }
    plan->target = plan->target == DRAW_PACK_TARGET ? to->target : in_spare(to, plan->target);
}

/* The tiles of a plan follow each other. */
static void move_plans(const placing *to, const draw_pack *pack)
{
    const raster_device_tile *tiles = draw_pack_tiles(pack);
    for (uint32_t i = 0; i < pack->tile_count; i++) {
        if (i == 0 || tiles[i].plan != tiles[i - 1].plan) {
            move_plan(to, (size_t)tiles[i].plan * RASTER_BATCH_ALIGNMENT);
        }
    }
}

static dp_status put_jobs(draw_batch *batch, const draw_pack *pack, const placing *to)
{
    const filter_job *jobs = draw_pack_jobs(pack);
    for (uint32_t i = 0; i < pack->job_count; i++) {
        const dp_status status = job_room(batch);
        if (status != DP_OK) {
            return status;
        }
        filter_job job = jobs[i];
        job.pixels = in_spare(to, job.pixels);
        job.scratch = in_spare(to, job.scratch);
        job.passes = in_front(to, job.passes);
        batch->jobs[batch->job_count++] = job;
    }
    return DP_OK;
}

static dp_status put_pack(draw_batch *batch, const draw_pack *pack, uint64_t front, uint64_t target)
{
    const size_t at = batch->raster.front_bytes;
    const size_t copied_bytes = front == 0 ? pack->front_bytes : sizeof(raster_device_plan);
    const uint64_t copy = raster_batch_put(&batch->raster, draw_pack_front(pack), copied_bytes);
    const placing to = {.front = front == 0 ? copy : front,
                        .spare = pack->spare_bytes == 0 ? 0 : take_spare(batch, pack->spare_bytes),
                        .target = target,
                        .copy = batch->raster.host + at};

    if (copy == 0 || (pack->spare_bytes != 0 && to.spare == 0) ||
        raster_batch_put_tiles(&batch->raster, draw_pack_tiles(pack), pack->tile_count, at) == 0) {
        return DP_ERR_BUSY;
    }
    batch->raster.plan_count += pack->plan_count;
    move_plans(&to, pack);
    const dp_status status = put_jobs(batch, pack, &to);
    return status == DP_OK && !jobs_fit(batch) ? DP_ERR_BUSY : status;
}

dp_status draw_batch_put(draw_batch *batch, const draw_pack *pack, uint64_t front, uint64_t target)
{
    const raster_batch raster = batch->raster;
    const size_t spare_used_bytes = batch->spare_used_bytes;
    const uint32_t job_count = batch->job_count;

    DP_ASSERT(front == 0 || draw_pack_can_stay(pack));
    const dp_status status = put_pack(batch, pack, front, target);
    if (status != DP_OK) {
        batch->raster = raster;
        batch->spare_used_bytes = spare_used_bytes;
        batch->job_count = job_count;
    }
    return status;
}
